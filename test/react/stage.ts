import type { Page } from "playwright-core";
import { beforeAll } from "vitest";
import type { Relay } from "../../src/server/relay.js";
import { type TestBrowser, useBrowser } from "../support/browser/browser.js";
import { type Site, useSite } from "../support/browser/site.js";
import { type TestDatabase, useDatabase } from "../support/postgres/database.js";
import { Session } from "../support/postgres/session.js";
import { useRelay } from "../support/relay/relay.js";
import { newSpace } from "../support/relay/space.js";
import type { Scene } from "./pages/parts.js";

/** Where components are shown: a page in Chromium, a relay behind it, and a session to write with. */
export interface StageTools {
  readonly db: TestDatabase;
  readonly relay: Relay;
  readonly site: Site;
  readonly session: Session;
  readonly browser: TestBrowser;
  newSpace(): Promise<string>;
  /** A page in a browser of its own that shows the scene. */
  open(scene: Scene): Promise<Page>;
  /** Streams that the relay has open now. */
  streams(): Promise<number>;
  /** Writes a message with SQL. */
  say(spaceId: string, content: string, row?: Row): Promise<void>;
  /** Changes a message with SQL. */
  change(id: string, content: string, state?: string): Promise<void>;
  /** Writes messages m1, m2 … of different heights, two minutes from one to the next. */
  fill(spaceId: string, count: number): Promise<void>;
  /** Writes a being with SQL; its ID is its name in small letters, in the space. */
  join(spaceId: string, name: string, type?: string): Promise<string>;
}

interface Row {
  id?: string;
  ownerId?: string;
  state?: string;
  type?: string;
  /** Seconds after the beginning of some day long ago. */
  at?: number;
}

/** The relay, the site, the browser and the database of one test file. */
export function useStage(): StageTools {
  const db = useDatabase();
  // Rare, so that a page which the machine keeps waiting does not take its line for dead.
  const relay = useRelay(db, { heartbeatMs: 10_000 });
  const site = useSite({ entry: new URL("./pages/stage.tsx", import.meta.url), relay });
  const browser = useBrowser();
  let session: Session;
  beforeAll(async () => {
    session = await Session.open(db);
  });
  return {
    db,
    get relay() {
      return relay.current;
    },
    get site() {
      return site.current;
    },
    get session() {
      return session;
    },
    browser,
    newSpace: () => newSpace(relay.current),
    open: async (scene) => {
      const page = await browser.newPage();
      await page.goto(site.current.url);
      await show(page, scene);
      return page;
    },
    streams: async () => {
      const { values } = await relay.current.metrics.clients.get();
      return values.find(({ labels }) => labels.endpoint === "stream")?.value ?? 0;
    },
    say: async (spaceId, content, { id, ownerId, state = "complete", type = "utterance", at } = {}) => {
      await session.query(
        `insert into public.intentions (id, location_id, content, owner_id, state, type, created_at)
         values (coalesce($1, gen_random_uuid()::text), $2, jsonb_build_array($3::text), $4, $5, $6,
           coalesce('2020-01-01 UTC'::timestamptz + $7 * '1 s'::interval, clock_timestamp()))`,
        [id, spaceId, content, ownerId, state, type, at],
      );
    },
    change: async (id, content, state = "active") => {
      await session.query(
        "update public.intentions set content = jsonb_build_array($2::text), state = $3 where id = $1",
        [id, content, state],
      );
    },
    fill: async (spaceId, count) => {
      await session.query(
        `insert into public.intentions (id, location_id, content, created_at)
         select $1 || ' m' || n, $1, jsonb_build_array('message ' || n || repeat(' and more', n * 7 % 23)),
           '2020-01-01 UTC'::timestamptz + n * '2 min'::interval
         from generate_series(1, $2) n`,
        [spaceId, count],
      );
    },
    join: async (spaceId, name, type = "guest") => {
      const id = `${name.toLowerCase()} in ${spaceId}`;
      await session.query("insert into public.beings (id, name, type, location_id) values ($1, $2, $3, $4)", [
        id,
        name,
        type,
        spaceId,
      ]);
      return id;
    },
  };
}

export async function show(page: Page, scene: Scene): Promise<void> {
  await page.evaluate((scene) => window.stage.show(scene), scene);
}
