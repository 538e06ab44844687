import { useEffect, useState } from "react";

/**
 * A place at the end of the page that its styles do not reach, and with styles of its own that reach nothing else. A
 * content security policy that forbids styles in the page does not concern these. Null on a server.
 */
export function useShadowRoot(css: string): ShadowRoot | null {
  const [root, setRoot] = useState<ShadowRoot | null>(null);
  useEffect(() => {
    const host = document.createElement("spacefeed-devtools");
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    const shadow = host.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    document.body.append(host);
    setRoot(shadow);
    return () => host.remove();
  }, [css]);
  return root;
}
