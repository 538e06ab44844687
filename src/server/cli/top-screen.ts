import { tableOf } from "./table.js";
import type { Between } from "./top-look.js";

/** A look as people see it: a line a subject, and the busiest spaces below. */
export function screenOf(now: Between, most: number): string {
  const { busiest, recorder, recorderAt, awake, notes, queueUsage, oldestWrite, relays, spaces } = now;
  const who =
    recorder === null
      ? "each commit records itself"
      : `pid ${recorder}${recorderAt ? ` from ${recorderAt}` : ""} records${awake ? ", awake" : " when commits do not"}`;
  const lines = [
    `versions   ${oneDigit(now.versionsPerSecond)}/s in ${busiest.length} of ${spaces} spaces`,
    `recording  ${who}; relays ${relays}, notes that wait ${notes}`,
    `database   NOTIFY queue ${Math.floor(queueUsage * 100)}% full; oldest write ${oldestWrite === null ? "none" : `${oneDigit(oldestWrite)} s`}`,
    `relay      ${relayLine(now.relay)}`,
  ];
  const rows = busiest
    .slice(0, most)
    .map(({ spaceId, version, versionsPerSecond }) => [oneDigit(versionsPerSecond), version, cut(spaceId)]);
  return `${lines.join("\n")}\n\n${tableOf(["versions/s", "version", "space"], rows)}`;
}

function relayLine(relay: Between["relay"]): string {
  if (relay === null) return "does not answer; see --url";
  const { readers, framesPerSecond, bytesPerSecond, cutOff } = relay;
  const sent = `${readers} readers; ${oneDigit(framesPerSecond)} frames/s, ${oneDigit(bytesPerSecond / 1024)} KiB/s`;
  const lags = [
    ["commit to relay", relay.commitToRelaySeconds],
    ["relay to socket", relay.relayToSocketSeconds],
    ["catch-up query", relay.querySeconds],
  ] as const;
  const told = lags.flatMap(([what, seconds]) =>
    seconds === null ? [] : [`${what} ${(seconds * 1000).toFixed(1)} ms`],
  );
  return [sent, ...told, ...(cutOff > 0 ? [`${cutOff} slow readers were cut off`] : [])].join("; ");
}

const oneDigit = (n: number) => n.toFixed(1);
const cut = (spaceId: string) => (spaceId.length > 60 ? `${spaceId.slice(0, 59)}…` : spaceId);
