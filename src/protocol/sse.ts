/** The only place that writes SSE text. A frame is encoded once, and shared by all who get it. */

/** Encodes a group of events, each one JSON text. Only the last one moves the reader's cursor (P5). */
export function encodeGroup(events: readonly string[], cursor: string): Buffer {
  let text = "";
  for (let i = 0; i < events.length - 1; i++) text += `data: ${oneLine(events[i] as string)}\n\n`;
  return Buffer.from(`${text}id: ${cursor}\ndata: ${oneLine(events.at(-1) as string)}\n\n`);
}

/**
 * Encodes the heartbeat: the version at which the reader should be, null while that is being found out, and the
 * milliseconds after which the next one comes. Who hears nothing for much longer has lost the line.
 */
export function encodeHeartbeat(version: number | null, everyMs: number): Buffer {
  return Buffer.from(`event: heartbeat\ndata: {"version":${version},"everyMs":${everyMs}}\n\n`);
}

/** Encodes how long a reader waits before it reconnects, in milliseconds. The first line of a stream. */
export function encodeRetry(milliseconds: number): Buffer {
  return Buffer.from(`retry: ${milliseconds}\n\n`);
}

// Postgres writes jsonb without line breaks, but a line break would end the field: no trust here.
function oneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replace(/\r\n|[\r\n]/g, "\ndata: ") : json;
}
