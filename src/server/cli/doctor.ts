import type { Command } from "commander";
import { command } from "./command.js";
export function doctor(): Command {
  return command("doctor", "x", "y");
}
