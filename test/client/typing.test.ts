import * as v from "valibot";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  createSpaceClient,
  defineSchemas,
  type Entity,
  type Intention,
  type SpaceClientOptions,
} from "../../src/client/index.js";

// `tsc` checks it with all tests. The functions are not called: there is no relay.
declare module "../../src/client/index.js" {
  interface Entities {
    declared: { id: string; title: string };
  }
}
interface Task {
  id: string;
  title: string;
  done: boolean;
}
const options: SpaceClientOptions = { spaceId: "lobby" };
const type = (body: () => unknown) => void body;

test("without a type, messages have any content, and rows are those that are declared", () => {
  type(() => {
    const client = createSpaceClient(options);
    expectTypeOf(client.getSnapshot().intentions).toEqualTypeOf<readonly Intention[]>();
    expectTypeOf(client.getEntity("declared", "a")).toEqualTypeOf<
      { id: string; title: string } | undefined
    >();
    expectTypeOf(client.getEntities("unknown")).toEqualTypeOf<readonly Entity[]>();
    expectTypeOf(client.getEntities<Task>("unknown")).toEqualTypeOf<readonly Task[]>();
    // @ts-expect-error a field that is not declared
    void client.createEntity("declared", { done: true });
  });
});

test("a type that is no map of rows is what the parts of a message's content are", () => {
  type(() => {
    expectTypeOf(createSpaceClient<string>(options).getSnapshot().utterances).toEqualTypeOf<
      readonly Intention<string>[]
    >();
    type Part = { type: "text"; text: string } | { type: "image"; url: string };
    const client = createSpaceClient<Part>(options);
    expectTypeOf(client.getIntention("a")).toEqualTypeOf<Intention<Part> | undefined>();
    // @ts-expect-error no part
    void client.createIntention({ content: ["text"] });
    expectTypeOf(client.getEntities("declared")).toEqualTypeOf<readonly { id: string; title: string }[]>();
  });
  const generic = <Content>() => createSpaceClient<Content>(options).getSnapshot().intentions;
  expectTypeOf(generic<number>).returns.toEqualTypeOf<readonly Intention<number>[]>();
});

test("a map of rows says what they are, beside those that are declared", () => {
  type(() => {
    const client = createSpaceClient<{ task: Task; intention: Intention<string> }>(options);
    expectTypeOf(client.getEntities("task")).toEqualTypeOf<readonly Task[]>();
    expectTypeOf(client.getEntity("declared", "a")).toEqualTypeOf<
      { id: string; title: string } | undefined
    >();
    expectTypeOf(client.getSnapshot().intentions).toEqualTypeOf<readonly Intention<string>[]>();
    expectTypeOf(client.createEntity("task", { title: "Land" })).resolves.toEqualTypeOf<Task>();
    // @ts-expect-error of another type
    void client.updateEntity("task", "a", { done: "yes" });
    interface Map {
      task: Task;
    }
    expectTypeOf(createSpaceClient<Map>(options).getEntities("task")).toEqualTypeOf<readonly Task[]>();
  });
});

test("schemas say what rows and content are", () => {
  const schemas = defineSchemas({
    content: z.array(z.object({ text: z.string() })),
    entities: {
      task: v.object({ title: v.string(), done: v.optional(v.boolean(), false) }),
      plan: z.object({ due: z.coerce.date() }),
    },
  });
  type(() => {
    const client = createSpaceClient({ spaceId: "lobby", schemas });
    expectTypeOf(client.getSnapshot().utterances[0]?.content).toEqualTypeOf<{ text: string }[] | undefined>();
    const task = client.getEntities("task")[0];
    expectTypeOf(task?.id).toEqualTypeOf<string | undefined>();
    expectTypeOf(task?.done).toEqualTypeOf<boolean | undefined>();
    expectTypeOf(client.getEntity("plan", "a")?.due).toEqualTypeOf<Date | undefined>();
    expectTypeOf(client.getEntity("declared", "a")?.title).toEqualTypeOf<string | undefined>();
    // @ts-expect-error no part
    void client.createIntention({ content: ["text"] });
  });
  // @ts-expect-error the content of a message is an array
  defineSchemas({ content: z.object({}) });
  // @ts-expect-error a row is an object
  defineSchemas({ entities: { task: z.string() } });
});
