// A model that needs no network and no key: the test model of `ai`. Yours is one line:
//     import { openai } from "@ai-sdk/openai";  export const model = openai("gpt-5");
import { simulateReadableStream } from "ai";
import { MockLanguageModelV3 } from "ai/test";

/** Milliseconds from one word to the next. */
const WORD_MS = Number(process.env.WORD_MS ?? 20);
const USAGE = { inputTokens: { total: 0 }, outputTokens: { total: 0 } };

/** It says the last thing that it was told, and counts to a hundred. */
export const model = new MockLanguageModelV3({
  doStream: async ({ prompt, abortSignal }) => {
    const said = prompt
      .at(-1)
      .content.map(({ text }) => text)
      .join(" ");
    if (said === "fail") throw new Error("the model has no more to say");
    abortSignal?.addEventListener("abort", () => console.log("the model was stopped"));
    const words = ["You", "said:", said, ...Array.from({ length: 100 }, (_, n) => `${n + 1}`)];
    const deltas = words.map((word) => ({ type: "text-delta", id: "0", delta: `${word} ` }));
    const finish = { type: "finish", finishReason: { unified: "stop", raw: undefined }, usage: USAGE };
    const chunks = [{ type: "text-start", id: "0" }, ...deltas, { type: "text-end", id: "0" }, finish];
    return { stream: simulateReadableStream({ chunks, chunkDelayInMs: WORD_MS }) };
  },
});
