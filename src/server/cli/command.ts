import { Command } from "commander";
import { SpacefeedError } from "../../protocol/errors.js";

/** A command of the command line, with an example in its help. */
export function command(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .showHelpAfterError()
    .addHelpText("after", `\nExample:\n  ${example}`);
}

/** Reads the value of an option: a whole number above 0. Throws `config` where it is none. */
export function countOf(option: string): (value: string) => number {
  return (value) => {
    if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
    throw new SpacefeedError("config", `${option} ${value} is no whole number from 1 to 999999999`);
  };
}
