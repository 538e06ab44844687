"use client";

import { Devtools, type DevtoolsProps } from "./devtools.js";

export type { DevtoolsProps };

// Bundlers put the word in, and leave out then what is below it.
declare const process: { env: { NODE_ENV?: string } };

/** A panel that shows what the clients of this page do. In a production build it is nothing. */
export const SpacefeedDevtools: (props: DevtoolsProps) => ReturnType<typeof Devtools> =
  process.env.NODE_ENV === "production" ? () => null : Devtools;

/** The same, in a production build, too. */
export const SpacefeedDevtoolsInProduction: typeof SpacefeedDevtools = Devtools;
