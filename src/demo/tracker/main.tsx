import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { SpacefeedProvider } from "../../react/index.js";
import { Devtools } from "../devtools.js";
import { Board } from "./board.js";

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <SpacefeedProvider persist>
      <Board />
      <Devtools />
    </SpacefeedProvider>
  </StrictMode>,
);
