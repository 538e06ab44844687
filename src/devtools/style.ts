/** Colours as those of the demo; contrasts of text are 4.5 to 1 and more. */
const LIGHT = `
  --ground: #f5f6f8; --surface: #fff; --ink: #171a1f; --soft: #565e6b; --line: #e2e5ea; --strong: #c9ced6;
  --accent: #3451d1; --accent-soft: #e9edff; --good: #176b36; --warn: #7d5200; --bad: #a3242c; --bad-soft: #fdeaea;
  --shadow: 0 8px 32px rgb(16 24 40 / 18%);`;
const DARK = `
  --ground: #0f1115; --surface: #15181d; --ink: #e8eaee; --soft: #a0a8b5; --line: #262b33; --strong: #3a414c;
  --accent: #8fa2ff; --accent-soft: #232a4d; --good: #7ad79b; --warn: #f0c067; --bad: #ff9a9a; --bad-soft: #3d1a1d;
  --shadow: 0 8px 32px rgb(0 0 0 / 55%);`;

export const STYLE = `
:host { all: initial; color-scheme: light dark; ${LIGHT} }
@media (prefers-color-scheme: dark) { :host { ${DARK} } }

* { box-sizing: border-box; margin: 0; }
aside {
  position: fixed; z-index: 2147483000; inset: 50% 0 auto auto; color: var(--ink);
  font: 0.8125rem/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
button {
  min-height: 2rem; padding: 0.125rem 0.625rem; border: 1px solid var(--strong); border-radius: 0.5rem;
  background: var(--surface); color: inherit; font: inherit; font-weight: 550; cursor: pointer;
}
button:hover { border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
ul, ol { padding: 0; list-style: none; }
h2 { font-size: 1rem; letter-spacing: -0.01em; }
h3 { margin-bottom: 0.25rem; color: var(--soft); font-size: 0.8125rem; font-weight: 600; }
code, pre, .entries { font: 0.75rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
.soft { color: var(--soft); font-weight: normal; white-space: nowrap; }
.none { color: var(--soft); }
.name { flex: 1; min-width: 0; overflow: hidden; text-align: start; text-overflow: ellipsis; white-space: nowrap; }

.tab { writing-mode: vertical-rl; min-height: 0; padding: 0.75rem 0.25rem; border-radius: 0.5rem 0 0 0.5rem; border-right: 0;
  background: var(--accent-soft); transform: translateY(-50%); min-width: 2rem; }
[data-open="false"] [data-cut="true"], header [data-cut="true"] { border-color: var(--bad); background: var(--bad-soft); color: var(--bad); }

[data-open="true"] {
  inset: auto 0.75rem 0.75rem auto; width: min(26rem, 100vw - 1.5rem); height: min(42rem, 100vh - 1.5rem);
  border: 1px solid var(--strong); border-radius: 0.875rem; background: var(--surface); box-shadow: var(--shadow);
}
[data-open="true"] .tab {
  position: absolute; top: 0.75rem; right: 0.75rem; writing-mode: horizontal-tb; min-height: 2rem; padding: 0.125rem 0.625rem;
  border: 1px solid var(--strong); border-radius: 0.5rem; background: var(--surface); color: inherit; transform: none;
}
.panel { display: flex; flex-direction: column; gap: 0.875rem; height: 100%; padding: 0.75rem; overflow: auto; }
header { display: flex; align-items: center; justify-content: space-between; gap: 0.5rem; min-height: 2rem; padding-right: 4.25rem; }
[aria-pressed="true"] { border-color: var(--accent); background: var(--accent-soft); }

.spaces { display: grid; gap: 0.25rem; }
.spaces button { display: flex; align-items: center; gap: 0.5rem; width: 100%; }
.spaces .soft { font-variant-numeric: tabular-nums; }
[data-mode="realtime"] { color: var(--good); }
[data-mode="polling"] { color: var(--warn); }
[data-mode="cache"] { color: var(--bad); }
.pending { color: var(--warn); font-weight: normal; }

dl > div { display: flex; gap: 0.5rem; }
dt { flex: none; width: 3.5rem; color: var(--soft); }
dd { min-width: 0; overflow-wrap: anywhere; }
[data-fact="Mode"] dd { font-weight: 650; }
[data-fact="Cursor"] dd { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
[data-fact="Fault"] dd, [data-fact="Error"] dd { color: var(--bad); }

.entries { border-radius: 0.5rem; background: var(--ground); }
.entries:empty { display: none; }
.entries li + li { border-top: 1px solid var(--line); }
.events { flex: 1 0 auto; }
summary { display: flex; gap: 0.5rem; min-height: 1.5rem; padding: 0.125rem 0.625rem; cursor: pointer; }
summary::-webkit-details-marker { display: none; }
.arrow { flex: none; width: 0.75rem; text-align: center; }
[data-way="in"] { color: var(--good); }
[data-way="out"] { color: var(--accent); }
[data-way="line"] { color: var(--warn); }
summary .soft:last-child { max-width: 40%; overflow: hidden; text-overflow: ellipsis; }
pre { padding: 0 0.625rem 0.5rem; overflow-wrap: anywhere; white-space: pre-wrap; }
`;
