#!/usr/bin/env node
import { run } from "../dist/server/cli.js";

await run(process.argv);
