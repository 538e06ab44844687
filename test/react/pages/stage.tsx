import { renders } from "./renders.js";
import "./style.js";
import { createRoot, hydrateRoot } from "react-dom/client";
import { compose, type Scene, seen } from "./parts.js";

/** What a test does with the page. */
export interface Stage {
  /** Renders the scene instead of the one before: a part of the same kind at the same place stays mounted. */
  show(scene: Scene): void;
  /** Takes over what a server has rendered, in a place of its own. */
  hydrate(scene: Scene, html: string): void;
  seen: Record<string, unknown>;
  renders: Record<string, number>;
}

declare global {
  interface Window {
    stage: Stage;
  }
}

const root = createRoot(document.getElementById("root") as HTMLElement);

window.stage = {
  seen,
  renders,
  show: (scene) => root.render(compose(scene)),
  hydrate: (scene, html) => {
    const place = document.createElement("div");
    place.id = "hydrated";
    place.innerHTML = html;
    document.body.append(place);
    hydrateRoot(place, compose(scene));
  },
};
