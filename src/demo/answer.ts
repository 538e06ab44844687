import type { Being, Intention, SpaceSnapshot } from "../client/index.js";
import { updatesOf } from "./growth.js";
import { LECTURE } from "./lecture.js";
import { count, listed, plainText, shortened, words } from "./wording.js";

/** What the bot has in hand when it answers. */
export interface Question {
  /** What was said since the last answer: usually one message. The last one is answered. */
  messages: readonly Intention[];
  snapshot: SpaceSnapshot;
  /** How many answers this bot has given in this space. */
  turn: number;
  /** Its clock, in milliseconds. */
  now: number;
}

/** What is known of the message that is answered. */
interface Facts extends Question {
  message: Intention;
  text: string;
  author: Being | undefined;
  /** The author's name with a comma, to begin a sentence with; or nothing. */
  name: string;
  version: number;
}

/** The answer: about what the visitor has just seen happen, with the numbers of this very space. */
export function answer(question: Question): string {
  const { messages, snapshot } = question;
  const message = messages.at(-1) as Intention;
  const author = snapshot.beings.find(({ id }) => id === message.ownerId);
  const facts: Facts = {
    ...question,
    message,
    text: plainText(message),
    author,
    name: author?.name ? `${shortened(author.name, 40)}, ` : "",
    version: snapshot.data?.version ?? 0,
  };
  const command = commandIn(facts.text);
  if (command) return COMMANDS[command](facts);
  if (messages.length > 1) return several(facts);
  if (message.ownerId === null) return fromSql(facts);
  return (REMARKS[question.turn % REMARKS.length] as (facts: Facts) => string)(facts);
}

type Command = "help" | "count" | "who" | "time" | "long";

/** A word alone is a command, and a short question may ask for one. */
function commandIn(text: string): Command | undefined {
  const said = text.toLowerCase().replace(/^\W+|\W+$/g, "");
  if (Object.hasOwn(COMMANDS, said)) return said as Command;
  if (!text.trimEnd().endsWith("?") || words(said).length > 8) return undefined;
  return QUESTIONS.find(([pattern]) => pattern.test(said))?.[1];
}

const QUESTIONS: readonly [RegExp, Command][] = [
  [/\bwho\b|\banybody\b|\banyone\b/, "who"],
  [/\bhow many\b/, "count"],
  [/\bhow fast\b|\bwhat time\b|\blatency\b/, "time"],
  [/\bhelp\b|\bwhat can you\b/, "help"],
  [/\bhow (does|do|is)\b.*\bwork/, "long"],
];

const COMMANDS: Record<Command, (facts: Facts) => string> = {
  help: () =>
    "Say anything, and I tell you what became of it. Or say one word:\n" +
    "count – what this space holds\n" +
    "who – who belongs here\n" +
    "time – how old your message was when I saw it\n" +
    "long – a long answer, to watch it grow",

  count: ({ snapshot, version }) => {
    const { utterances, hasMore } = snapshot;
    const all = utterances.reduce((sum, message) => sum + words(plainText(message)).length, 0);
    const held = `${hasMore ? "the newest " : ""}${count(utterances.length, "message")}`;
    return `I have ${held} of this space before me, yours included: ${count(all, "word")} in all. The space is at version ${version}: so many transactions have changed it so far.`;
  },

  who: ({ snapshot, author }) => {
    const people = snapshot.onlineBeings.filter(({ type }) => type !== "space");
    const guests = people.filter(({ type }) => type === "guest");
    const others = guests.filter(({ id }) => id !== author?.id).map(({ name }) => shortened(name, 40));
    const you = author ? [`you (${shortened(author.name, 40)})`] : [];
    const all = listed([...you, ...others.slice(0, 12)], others.length - 12);
    const bots = people.length - guests.length;
    return `${count(guests.length, "guest")} and ${count(bots, "bot")} belong here: ${all}, and me. Belonging is a row, not a heartbeat: nobody flickers in and out.`;
  },

  time: (facts) => {
    const age = ageOf(facts);
    const seen = age === null ? "Our clocks differ too much to say more." : `${age} ms later I had it.`;
    return `Postgres wrote ${facts.message.messageId} at ${facts.message.createdAt.slice(11, 23)} UTC, by its own clock. ${seen}`;
  },

  long: () => LECTURE,
};

/** One after the other, for a visitor who just talks. */
const REMARKS: ((facts: Facts) => string)[] = [
  ({ name, message, version }) =>
    `${name || "Hello, "}your message is ${message.messageId}, and the space is now at version ${version}. Postgres gave out both, the ID at your insert and the version at your commit, and woke everybody who reads here. Say “help” for more.`,

  (facts) => {
    const age = ageOf(facts);
    const way = age === null ? "" : ` ${age} ms after Postgres had written it,`;
    return `${facts.message.messageId} reached me${way} over the same stream that your browser reads. I am a client like yours: no back door.`;
  },

  (facts) => {
    // What this sentence says of itself depends on how long it is, and that on what it says.
    const sentence = (updates: number) =>
      `This answer is one row of a table. I update it 20 times a second, ${updates} times until it is whole, and each time is a commit of its own: from version ${facts.version} to about ${facts.version + updates + 1}. You miss none of it.`;
    return sentence(updatesOf(sentence(99)));
  },

  ({ text, message }) => {
    const all = words(text);
    const longest = all.reduce((a, b) => (b.length > a.length ? b : a), "");
    const remark = longest ? ` The longest is “${shortened(longest, 30)}”.` : "";
    return `${message.messageId} has ${count(all.length, "word")}.${remark} I read that from the row, as it is in the table now; change it there with SQL, and it changes on your screen.`;
  },

  ({ name }) =>
    `${name || ""}open this page in a second window, or on your phone, and write there. Or stop the server: the page says that it is offline, keeps what you write, and sends it when the server is back.`,
];

function fromSql({ message, version }: Facts): string {
  return `That one came straight from SQL: it has no owner, and no API has seen it. It is ${message.messageId}, at version ${version}. The triggers did at its commit what they do for every writer, and here it is.`;
}

function several({ messages, snapshot, version }: Facts): string {
  const first = messages[0]?.messageId;
  const last = messages.at(-1)?.messageId;
  // So many at once came as the newest page of the space: there may be more before it.
  const more = snapshot.hasMore && first === snapshot.utterances[0]?.messageId ? "More than " : "";
  return `${more}${count(messages.length, "message")} came before I could say a word: ${first} to ${last}. The space is at version ${version}. However many rows a transaction writes, it is one version, and it arrives whole.`;
}

/** Milliseconds from the database's clock to the bot's; null where these two cannot be compared. */
function ageOf({ message, now }: Facts): number | null {
  const age = now - Date.parse(message.createdAt);
  return age >= 0 && age < 10_000 ? age : null;
}
