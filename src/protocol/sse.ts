/** The only place that writes SSE text. A frame is encoded once, and shared by all who get it. */

/** Encodes a group of events, each one JSON text. Only the last one moves the reader's cursor (P5). */
export function encodeGroup(events: readonly string[], cursor: string): Buffer {
  let text = "";
  for (let i = 0; i < events.length - 1; i++) text += `data: ${oneLine(events[i] as string)}\n\n`;
  return Buffer.from(`${text}id: ${cursor}\ndata: ${oneLine(events.at(-1) as string)}\n\n`);
}

/** Encodes an event that moves no cursor. */
export function encodeEvent(event: object): Buffer {
  return Buffer.from(`data: ${JSON.stringify(event)}\n\n`);
}

/** The same group for a stream of many spaces: each event says of which it is, and an id would be of one of them only. */
export function nameSpace(frame: Buffer, spaceId: string): Buffer {
  const name = `"spaceId":${JSON.stringify(spaceId)},`;
  // The first line of each event. A space-sync has the name already.
  const heads = /(^|\n\n)(?:id: .*\n)?data: \{("type":"space-sync",)?/g;
  return Buffer.from(
    frame.toString().replace(heads, (_, gap: string, sync = name) => `${gap}data: {${sync}`),
  );
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
