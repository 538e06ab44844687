import { createParser, type EventSourceMessage } from "eventsource-parser";

/** A reader of an SSE endpoint that sees every line: what is asserted is what is on the wire. */
export interface TestStream {
  readonly response: Response;
  /** What has come so far, heartbeats too. */
  readonly messages: EventSourceMessage[];
  /** The retry line, in milliseconds. */
  retry: number | undefined;
  /** Resolves when the other side has ended the stream. */
  readonly ended: Promise<void>;
  /** Waits until the messages (without heartbeats, parsed) satisfy the condition, and returns them. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
  until(condition: (events: any[]) => boolean, timeoutMs?: number): Promise<any[]>;
  close(): void;
}

/** Opens a stream, of many spaces with a body. The answer may also be a refusal: then nothing comes. */
export async function openStream(
  url: string | URL,
  headers: Record<string, string> = {},
  body?: string,
): Promise<TestStream> {
  const controller = new AbortController();
  const response = await fetch(url, {
    ...(body !== undefined && { method: "POST", body }),
    headers: { Accept: "text/event-stream", ...headers },
    signal: controller.signal,
  });
  const messages: EventSourceMessage[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
  const events: any[] = [];
  const waiting = new Set<() => void>();
  const stream = { response, messages, retry: undefined as number | undefined };
  const parser = createParser({
    onEvent: (message) => {
      messages.push(message);
      if (!message.event) events.push(JSON.parse(message.data));
      for (const look of waiting) look();
    },
    onRetry: (retry) => {
      stream.retry = retry;
    },
  });
  const ended = (async () => {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch {
      // closed by us, or cut
    }
  })();
  return Object.assign(stream, {
    ended,
    close: () => controller.abort(),
    // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
    until: (condition: (events: any[]) => boolean, timeoutMs = 10_000) =>
      // biome-ignore lint/suspicious/noExplicitAny: the tests look into it
      new Promise<any[]>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(
            new Error(`did not come within ${timeoutMs} ms; so far: ${JSON.stringify(events, null, 1)}`),
          );
        }, timeoutMs);
        const look = () => {
          if (!condition(events)) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve([...events]);
        };
        waiting.add(look);
        look();
      }),
  });
}

/** The address of a space's event stream. */
export function streamUrl(relayUrl: string, spaceId: string, since?: string | number): URL {
  const url = new URL("/api/stream", relayUrl);
  url.searchParams.set("spaceId", spaceId);
  if (since !== undefined) url.searchParams.set("since", String(since));
  return url;
}
