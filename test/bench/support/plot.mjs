// Plots for people: specifications for Vega-Lite, and their SVG, made here and not by the reader's browser.

import * as vega from "vega";
import { compile } from "vega-lite";

const OURS = "#2563eb";
const OTHERS = "#94a3b8";
const COLOURS = [OURS, "#e11d48", "#059669", "#d97706", "#7c3aed", "#64748b"];
const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

/** A solid background, so that it can be read on a dark page, too. */
const CONFIG = {
  background: "#ffffff",
  padding: 16,
  font: FONT,
  view: { stroke: null },
  axis: {
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
    labelColor: "#334155",
    titleColor: "#475569",
    gridColor: "#e2e8f0",
    domainColor: "#94a3b8",
    tickColor: "#94a3b8",
    labelLimit: 260,
  },
  legend: {
    labelFontSize: 12,
    labelColor: "#334155",
    title: null,
    orient: "top",
    columns: 3,
    symbolStrokeWidth: 3,
    labelLimit: 300,
  },
  title: { fontSize: 14, fontWeight: 600, color: "#0f172a", anchor: "start", offset: 12 },
  range: { category: COLOURS },
};

/** Bars, one for each of [{name, value, isOurs}], in this order, with their values beside them. */
export function bars(values, title, format = ",.1f") {
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    title: null,
    axis: { ticks: false, domain: false, labelPadding: 8 },
  };
  const x = { field: "value", type: "quantitative", title, scale: { domainMin: 0 } };
  const colour = { condition: { test: "datum.isOurs", value: OURS }, value: OTHERS };
  return {
    width: 560,
    height: { step: 30 },
    data: { values },
    encoding: { y, x },
    layer: [
      { mark: { type: "bar", cornerRadiusEnd: 3, height: { band: 0.7 } }, encoding: { color: colour } },
      {
        mark: { type: "text", align: "left", dx: 6, fontSize: 12, color: "#0f172a" },
        encoding: { text: { field: "value", type: "quantitative", format } },
      },
    ],
  };
}

/** Bars in groups: [{name, group, value}]. */
export function groupedBars(values, title) {
  return {
    width: 560,
    height: { step: 18 },
    data: { values },
    mark: { type: "bar", cornerRadiusEnd: 2 },
    encoding: {
      y: {
        field: "group",
        type: "nominal",
        sort: null,
        title: null,
        axis: { ticks: false, domain: false, labelPadding: 8 },
      },
      yOffset: { field: "name", sort: null },
      x: { field: "value", type: "quantitative", title },
      color: { field: "name", type: "nominal", sort: null },
    },
  };
}

/** Lines through [{x, y, name}]. */
export function lines(values, { x, y, isLog = false, isLogY = false, hasPoints = true }) {
  const ticks = [...new Set(values.map((value) => value.x))];
  const axis = hasPoints ? { values: ticks, format: ",~s" } : {};
  return {
    width: 560,
    height: 260,
    data: { values },
    mark: { type: "line", point: hasPoints && { size: 50 }, strokeWidth: 2.5 },
    encoding: {
      x: {
        field: "x",
        type: "quantitative",
        title: x,
        axis,
        scale: isLog ? { type: "log" } : { zero: !hasPoints },
      },
      y: { field: "y", type: "quantitative", title: y, scale: isLogY ? { type: "log" } : { domainMin: 0 } },
      color: { field: "name", type: "nominal", sort: null },
    },
  };
}

/** The plot of a section that has data [{series, x, y}] and no plots of its own. */
export function plotOfData({ title, head, data }, file) {
  const values = data.map(({ series, x, y }) => ({ x, y, name: series }));
  return { file, title, spec: lines(values, { x: head[0], y: "beside plain tables", isLog: true }) };
}

/** The SVG of a plot {title, spec}. */
export async function svgOf({ title, spec }) {
  const { spec: compiled } = compile({ ...spec, title, config: CONFIG }, { logger: silent });
  const view = new vega.View(vega.parse(compiled), { renderer: "none", logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

const silent = {
  level: () => silent,
  error: () => silent,
  warn: () => silent,
  info: () => silent,
  debug: () => silent,
};
