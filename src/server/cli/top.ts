import type { Command } from "commander";
import { command } from "./command.js";
export function top(): Command {
  return command("top", "x", "y");
}
