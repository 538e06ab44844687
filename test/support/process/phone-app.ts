import { createSpaceClient, persistIn } from "../../../src/client/index.js";

// For vm: what an application on a phone imports.
Object.assign(globalThis, { createSpaceClient, persistIn });
