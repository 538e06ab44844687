import { expect } from "vitest";
import type { Relay } from "../../../src/server/relay.js";

/** A number that the relay tells Prometheus. */
async function metric(relay: Relay, name: string): Promise<number> {
  const text = await (await fetch(`${relay.url}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  if (!line) throw new Error(`no ${name} in ${text}`);
  return Number(line.slice(name.length + 1));
}

/** Open streams of events, as the relay counts them. */
export function streams(relay: Relay): Promise<number> {
  return metric(relay, 'spacefeed_clients{endpoint="stream"}');
}

/** Snapshots that the relay has read: one for each client that came without anything. */
export function snapshots(relay: Relay): Promise<number> {
  return metric(relay, "spacefeed_snapshots_total");
}

/** Waits until the relay has so many streams, neither more nor fewer. */
export async function streamsBecome(relay: Relay, count: number): Promise<void> {
  await expect.poll(() => streams(relay)).toBe(count);
}
