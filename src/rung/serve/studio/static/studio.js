// What pages need beyond htmx: dropped files, and answers that come in pieces. It makes markup of nothing but the server's own.
"use strict";

const made = (name, text = "", kind = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
};

for (const form of document.querySelectorAll("[data-drop]")) {
  const field = form.querySelector("input[type=file]");
  form.addEventListener("dragover", event => { event.preventDefault(); form.classList.add("over"); });
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", event => {
    event.preventDefault();
    form.classList.remove("over");
    field.files = event.dataTransfer.files;
    form.requestSubmit();
  });
}

// Ask one model; the text grows in `into`, and the server's whole answer takes its place. Returns the answer's text.
async function ask(form, model, history, into) {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, question: form.elements.question.value, model, history: JSON.stringify(history) });
  const text = into.appendChild(made("div", "", "said-text"));
  let answer = null;
  const take = line => {
    const told = JSON.parse(line);
    if (told.text) text.textContent += told.text;
    if (told.error) text.replaceWith(made("p", told.error, "error"));
    if (told.html !== undefined) { into.innerHTML = told.html; htmx.process(into); answer = told.answer; }
  };
  try {
    const reply = await fetch(form.action, { method: "POST", body });
    if (reply.status === 401) { location.reload(); return null; }  // which leads to the login
    if (!reply.headers.get("content-type").includes("ndjson")) throw new Error(`The server refused (${reply.status}).`);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "", piece; !(piece = await reader.read()).done;) {
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      lines.forEach(take);
    }
  } catch (fault) {
    text.replaceWith(made("p", `The answer broke off. ${fault.message}`, "error"));
  }
  return answer;
}

function chat(form) {
  const turns = document.getElementById(form.dataset.chat), history = [];
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const question = form.elements.question.value.trim(), button = form.querySelector("button");
    if (!question) return;
    const turn = turns.appendChild(made("article"));
    turn.append(made("p", question, "question"));
    const asked = ask(form, form.elements.model.value, history, turn.appendChild(made("div")));
    button.disabled = true;
    form.elements.question.value = "";
    const answer = await asked;
    if (answer !== null) history.push({ role: "user", content: question }, { role: "assistant", content: answer });
    button.disabled = false;
    form.elements.question.focus();
  });
  form.elements.question.addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
  });
}

// Mark in each answer the words that not every answer has.
function differing(texts) {
  const words = text => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  const sets = texts.map(element => new Set(words(element.textContent)));
  for (const element of texts) {
    for (const node of [...element.childNodes].filter(one => one.nodeType === Node.TEXT_NODE)) {
      const parts = node.data.split(/([\p{L}\p{N}]+)/u).map((part, at) => {
        const other = at % 2 && !sets.every(set => set.has(part.toLowerCase()));
        return other ? made("mark", part, "differs") : document.createTextNode(part);
      });
      node.replaceWith(...parts);
    }
  }
}

function compare(form) {
  const columns = document.getElementById(form.dataset.compare), vote = document.getElementById("vote");
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const ticked = [...form.querySelectorAll("[name=model]:checked")].map(one => one.value), blind = form.elements.blind.checked;
    const models = blind ? ticked.map(one => [Math.random(), one]).sort().map(([, one]) => one) : ticked;
    columns.replaceChildren();
    vote.hidden = true;
    const answers = await Promise.all(models.map((model, at) => {
      const column = columns.appendChild(made("article"));
      column.classList.toggle("blind", blind);
      column.append(made("h2", blind ? `Answer ${at + 1}` : model));
      return ask(form, model, [], column.appendChild(made("div")));
    }));
    const ids = [...columns.children].map(column => column.querySelector("[name=answer]")?.value || "");
    if (blind) columns.querySelectorAll(".fine").forEach(one => one.remove());
    if (answers.filter(one => one !== null).length > 1) {
      differing([...columns.querySelectorAll(".said-text")]);
      vote.elements.question.value = form.elements.question.value;
      vote.querySelectorAll("[name=model], [name=answer]").forEach(one => one.remove());
      vote.querySelector(".choices").replaceChildren(...models.map((model, at) => {
        const label = made("label", "", "tick"), choice = made("input"), hidden = made("input"), id = made("input");
        Object.assign(choice, { type: "radio", name: "choice", value: model, required: true });
        Object.assign(hidden, { type: "hidden", name: "model", value: model });
        Object.assign(id, { type: "hidden", name: "answer", value: ids[at] });
        vote.append(hidden, id);
        label.append(choice, ` ${blind ? `Answer ${at + 1}` : model}`);
        return label;
      }));
      vote.hidden = false;
    }
  });
}

document.querySelectorAll("[data-chat]").forEach(chat);
document.querySelectorAll("[data-compare]").forEach(compare);
document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
if (location.hash === "#quote") document.getElementById("quote")?.scrollIntoView({ block: "center" });
