"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = ["#0b6e69", "#c2722b", "#5a6fb5", "#a84e74", "#6b8e3d", "#8a6bb0", "#6f7680"];
const short = value => Number(value) >= 1e6 ? value / 1e6 + " M" : Number(value) >= 1e3 ? value / 1e3 + " k" : String(value);

function draw() {
  const ink = css("--ink"), soft = css("--soft"), line = css("--line");
  const axis = more => ({ axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } }, nameTextStyle: { color: soft }, ...more, axisLabel: { color: soft, ...more.axisLabel } });
  const chart = (id, option) => {
    const element = document.getElementById(id);
    const made = echarts.getInstanceByDom(element) || echarts.init(element);
    made.setOption({ textStyle: { color: ink, fontFamily: "system-ui, sans-serif" }, animation: false, grid: { left: 12, right: 24, top: 24, bottom: 48, containLabel: true }, legend: { textStyle: { color: soft }, bottom: 0, type: "scroll" }, ...option }, true);
  };
  const costs = data.costs, months = costs.months;
  const monthly = (name, volume) => { const r = costs.rungs.find(one => one.name === name).running; return r.up_front / months + volume * r.question + r.month; };
  const color = i => palette[i % palette.length];
  chart("volume", {
    tooltip: { trigger: "axis", confine: true, valueFormatter: v => v === undefined ? "" : Number(v).toLocaleString(undefined, { maximumSignificantDigits: 3 }) },
    xAxis: axis({ type: "log", axisLabel: { formatter: short } }), yAxis: axis({ type: "log", axisLabel: { formatter: short } }),
    series: costs.rungs.map((r, i) => ({ name: r.name, type: "line", showSymbol: false, lineStyle: { color: color(i), width: 2 }, itemStyle: { color: color(i) }, data: data.volumes.map((v, n) => [v, data.curves[r.name][n]]).filter(p => p[1] > 0) }))
      .concat([{ name: "crossing", type: "scatter", symbol: "emptyCircle", symbolSize: 11, itemStyle: { color: ink }, tooltip: { trigger: "item" },
        data: costs.crossings.filter(c => c.volume.estimate <= data.volumes[data.volumes.length - 1]).map(c => [c.volume.estimate, monthly(c.after, c.volume.estimate)]) },
      { name: "now", type: "line", data: [], markLine: { symbol: "none", silent: true, label: { formatter: "now", color: soft }, lineStyle: { type: "dashed", color: soft }, data: [{ xAxis: costs.questions_month }] } }]),
  });
  chart("quality", {
    tooltip: { trigger: "item", confine: true, formatter: p => `${p.seriesName}: ${Math.round(100 * p.value[1])} % at ${Number(p.value[0]).toPrecision(3)} per 1,000` },
    xAxis: axis({ type: "log", axisLabel: { formatter: short } }), yAxis: axis({ type: "value", min: 0, max: 1, axisLabel: { formatter: v => Math.round(100 * v) + " %" } }),
    series: costs.rungs.map((r, i) => ({ name: r.name, type: "scatter", symbolSize: 14, itemStyle: { color: color(i) }, data: r.running.right === null ? [] : [[r.per_1000.estimate, r.running.right]] })),
  });
}
addEventListener("resize", () => document.querySelectorAll(".chart").forEach(e => echarts.getInstanceByDom(e)?.resize()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
