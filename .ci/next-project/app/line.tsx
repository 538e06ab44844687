"use client";

import { useSpaceData } from "spacefeed/react";

export function Line() {
  const { mode } = useSpaceData("hall");
  return <p>mode: {mode}</p>;
}
