import type { ReactNode } from "react";
import { SpacefeedProvider } from "spacefeed/react";
import "./chat.css";

export const metadata = { title: "A user's page", icons: "data:," };
export const dynamic = "force-dynamic";

/** Rendered on the server alone: the relay's address is not in the built page. */
export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <SpacefeedProvider url={process.env.RELAY_URL ?? "http://127.0.0.1:8787"} persist>
          {children}
        </SpacefeedProvider>
      </body>
    </html>
  );
}
