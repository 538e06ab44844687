import { useEffect, useState } from "react";

/** What the relay says of itself to this page, at `/demo.json`. */
export interface PageFacts {
  /** How to get into the database with `psql`; null when that is not for everybody. */
  readonly psql: string | null;
}

/** Null until they are known; asked again while the server is away. */
export function usePageFacts(): PageFacts | null {
  const [facts, setFacts] = useState<PageFacts | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const ask = async () => {
      try {
        const response = await fetch("/demo.json");
        if (!response.ok) throw new Error(`status ${response.status}`);
        const answer = (await response.json()) as PageFacts;
        if (!isOver) setFacts(answer);
      } catch {
        if (!isOver) timer = setTimeout(ask, 5_000);
      }
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  return facts;
}
