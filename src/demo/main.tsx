import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { SpacefeedProvider } from "../react/index.js";
import { Devtools } from "./devtools.js";
import { Page } from "./page.js";

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <SpacefeedProvider persist>
      <Page />
      <Devtools />
    </SpacefeedProvider>
  </StrictMode>,
);
