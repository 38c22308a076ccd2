"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = ["#0b6e69", "#c2722b", "#5a6fb5", "#a84e74", "#6b8e3d", "#8a6bb0", "#6f7680"];
const percent = value => Math.round(value * 100) + " %";

function draw() {
  const ink = css("--ink"), soft = css("--soft"), line = css("--line");
  const text = { color: ink, fontFamily: "system-ui, sans-serif" };
  const axis = more => ({ axisLabel: { color: soft }, axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } }, nameTextStyle: { color: soft }, ...more });
  const share = more => axis({ type: "value", min: 0, max: 1, axisLabel: { color: soft, formatter: percent }, ...more });
  const chart = (id, option) => {
    const element = document.getElementById(id);
    const made = echarts.getInstanceByDom(element) || echarts.init(element);
    made.setOption({ textStyle: text, animation: false, grid: { left: 12, right: 24, top: 24, bottom: 28, containLabel: true }, ...option }, true);
  };
  const names = data.rungs.map(r => r.name);
  const hint = { trigger: "item", confine: true };
  chart("forest", {
    tooltip: hint, xAxis: share({}), yAxis: axis({ type: "category", data: names, inverse: true }),
    series: data.rungs.flatMap((r, i) => [
      { type: "line", data: [[r.low, i], [r.high, i]], symbol: "none", lineStyle: { color: palette[i % 7], width: 3 }, silent: true },
    ]).concat([{ type: "scatter", symbolSize: 12, data: data.rungs.map((r, i) => ({ value: [r.estimate, i], itemStyle: { color: palette[i % 7] } })),
      tooltip: { formatter: p => { const r = data.rungs[p.dataIndex]; return `${r.name}: ${percent(r.estimate)} (${percent(r.low)} to ${percent(r.high)})`; } },
      markLine: { symbol: "none", silent: true, label: { show: false }, lineStyle: { type: "dashed", color: soft }, data: [{ xAxis: data.bar }] } }]),
  });
  const parts = data.parts, shown = Object.keys(parts);
  chart("parts", {
    tooltip: { trigger: "axis", confine: true, valueFormatter: v => v === null ? "–" : percent(v) }, legend: { textStyle: { color: soft }, bottom: 0 },
    grid: { left: 12, right: 12, top: 16, bottom: 48, containLabel: true }, xAxis: axis({ type: "category", data: names, axisLabel: { color: soft, rotate: 30 } }), yAxis: share({}),
    series: shown.map((p, i) => ({ name: parts[p], type: "bar", data: data.rungs.map(r => p in r.parts ? r.parts[p] : null), itemStyle: { color: palette[i] } })),
  });
  const against = (id, key, name) => chart(id, {
    tooltip: { ...hint, formatter: p => `${p.seriesName}: ${percent(p.value[1])} at ${Number(p.value[0]).toPrecision(3)}` },
    grid: { left: 12, right: 24, top: 24, bottom: 48, containLabel: true }, legend: { textStyle: { color: soft }, bottom: 0, type: "scroll" },
    xAxis: axis({ type: "value", name, nameLocation: "middle", nameGap: 26, min: 0 }), yAxis: share({}),
    series: data.rungs.map((r, i) => ({ name: r.name, type: "scatter", symbolSize: 14, itemStyle: { color: palette[i % 7] }, data: [[r[key], r.estimate]] })),
  });
  against("latency", "seconds", "");
  const same = new Map();  // rungs over one adapter share its curve
  for (const r of data.rungs.filter(r => r.losses.length)) { const key = JSON.stringify(r.losses); same.set(key, [...(same.get(key) || []), r]); }
  const trained = [...same.values()].map(group => ({ ...group[0], first: group[0], name: group.map(r => r.name).join(", ") }));
  document.getElementById("loss-figure").hidden = !trained.length;
  if (trained.length) chart("loss", {
    tooltip: { trigger: "axis", confine: true }, legend: { textStyle: { color: soft }, bottom: 0 }, grid: { left: 12, right: 24, top: 24, bottom: 48, containLabel: true },
    xAxis: axis({ type: "value", min: 0 }), yAxis: axis({ type: "value" }),
    series: trained.flatMap(r => { const color = palette[data.rungs.indexOf(r.first) % 7]; return [
      { name: r.name, type: "line", showSymbol: false, data: r.losses.map(l => [l.step, l.loss]), lineStyle: { color, width: 1.5 }, itemStyle: { color } },
      { name: r.name, type: "scatter", symbolSize: 8, data: r.losses.filter(l => "val_loss" in l).map(l => [l.step, l.val_loss]), itemStyle: { color } }]; }),
  });
}

function make(tag, text, name) { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (name) e.className = name; return e; }

function answerCard(rung, answer, item) {
  const card = make("div", undefined, "answer" + (answer.primary >= 1 ? " right" : ""));
  card.append(make("b", rung.name), make("div", answer.text || "(empty)"));
  if (answer.faults.length) card.append(make("div", answer.faults.join(", "), "fault"));
  if (answer.sources.length) {
    const box = make("details");
    box.append(make("summary", `${answer.sources.length} sources`));
    for (const s of answer.sources) {
      const gold = item.documents.includes(s.document);
      box.append(make("p", `[${s.n}]${s.cited ? " cited" : ""} ${s.document}${gold ? " (holds the evidence)" : ""}\n${s.text}`, gold ? "gold" : ""));
    }
    card.append(box);
  }
  return card;
}

let limit = 20;
function list() {
  const words = document.getElementById("search").value.toLowerCase(), rung = document.getElementById("rung").value, fault = document.getElementById("fault").value;
  const rungs = data.rungs.filter(r => !rung || r.name === rung);
  const found = data.cases.map((item, i) => [item, i]).filter(([item, i]) => {
    const said = rungs.map(r => r.answers[i]);
    if (words && !(item.id + item.question + item.ideal + item.tags.join(" ") + said.map(a => a.text).join(" ")).toLowerCase().includes(words)) return false;
    return !fault || said.some(a => (a.primary >= 1) === (fault === "right"));
  });
  const box = document.getElementById("cases");
  box.replaceChildren(...found.slice(0, limit).map(([item, i]) => {
    const article = make("article");
    article.append(make("h3", item.question), make("p", `${item.ideal}  ·  ${item.id}${item.tags.length ? "  ·  " + item.tags.join(", ") : ""}`, "ideal"));
    const answers = make("div", undefined, "answers");
    rungs.forEach(r => answers.append(answerCard(r, r.answers[i], item)));
    article.append(answers);
    return article;
  }));
  document.getElementById("count").textContent = `${found.length} of ${data.cases.length} cases`;
  document.getElementById("more").hidden = found.length <= limit;
}

for (const r of data.rungs) { const option = make("option", r.name); option.value = r.name; document.getElementById("rung").append(option); }
for (const id of ["search", "rung", "fault"]) document.getElementById(id).addEventListener("input", () => { limit = 20; list(); });
document.getElementById("filters").addEventListener("submit", event => event.preventDefault());
document.getElementById("more").addEventListener("click", () => { limit += 40; list(); });
addEventListener("resize", () => document.querySelectorAll(".chart").forEach(e => echarts.getInstanceByDom(e)?.resize()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
list();
