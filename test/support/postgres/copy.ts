import type pg from "pg";
import type { Session } from "./session.js";

/** What pg's connection can do, and its types leave out. */
interface CopyConnection extends pg.Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** COPY FROM STDIN through the protocol, as psql's \copy does it: `text` is rows in the text format. */
export function copyFrom(session: Pick<Session, "client">, statement: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const copy = {
      submit: (connection: pg.Connection) => connection.query(statement),
      handleCopyInResponse: (connection: CopyConnection) => {
        connection.sendCopyFromChunk(Buffer.from(text));
        connection.endCopyFrom();
      },
      handleCommandComplete: () => {},
      handleError: reject,
      handleReadyForQuery: () => resolve(),
    };
    session.client.query(copy as unknown as pg.Submittable);
  });
}
