import type { TestDatabase } from "../postgres/database.js";
import { Session } from "../postgres/session.js";

let begun = 0;

/** A space of its own for a test, in which somebody writes with SQL. */
export class Conversation {
  private constructor(
    readonly spaceId: string,
    readonly session: Session,
  ) {}

  static async begin(db: TestDatabase, spaceId = `room-${++begun}`): Promise<Conversation> {
    const session = await Session.open(db);
    await session.query("insert into beings (id, type) values ($1, 'space')", [spaceId]);
    return new Conversation(spaceId, session);
  }

  /** Writes messages, each in a transaction of its own. */
  async write(...texts: string[]): Promise<void> {
    for (const text of texts) {
      await this.session.query(
        "insert into intentions (location_id, content) values ($1, jsonb_build_array($2::text))",
        [this.spaceId, text],
      );
    }
  }

  /** What the database has, in its order. */
  async texts(): Promise<string[]> {
    const rows = await this.session.query(
      `select content->>0 as text from intentions where location_id = $1
       order by created_at, substr(message_id, 5)::bigint`,
      [this.spaceId],
    );
    return rows.map((row) => row.text as string);
  }
}
