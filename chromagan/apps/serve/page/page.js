// The description of the service, read from openapi.json, and a form that sends a photo.

const at = (id) => document.getElementById(id);

function made(name, text = "", ...children) {
  const element = document.createElement(name);
  element.textContent = text;
  element.append(...children);
  return element;
}

const row = (name, about) => made("tr", "", made("td", "", made("code", name)), made("td", about));
const kindOf = (schema) => schema.anyOf?.find((one) => one.type !== "null") ?? schema;

function range(schema) {
  const low = schema.minimum, high = schema.maximum;
  return low === undefined ? "" : high === undefined ? `from ${low} on; ` : `${low} to ${high}; `;
}

function field({ name, description, schema }) {
  const kind = kindOf(schema);
  const input = made(kind.enum ? "select" : "input");
  if (kind.enum) input.append(made("option"), ...kind.enum.map((one) => made("option", one)));
  else Object.assign(input, { inputMode: "decimal", autocomplete: "off" });
  input.dataset.wish = name;
  input.title = range(kind) + description;
  return made("label", name, input);
}

function article(path, method, told, schemas) {
  const parts = [made("h3", "", made("code", `${method.toUpperCase()} ${path}`)), made("p", `${told.summary}. ${told.description}`)];
  const rows = (told.parameters ?? []).map((one) => row(`?${one.name}`, range(kindOf(one.schema)) + (one.description ?? "")));
  for (const [kind, { schema }] of Object.entries(told.requestBody?.content ?? {})) rows.push(row(kind, schema.properties ? `parts: ${Object.keys(schema.properties).join(", ")}` : "the photo as the body"));
  for (const [status, { description }] of Object.entries(told.responses)) rows.push(row(status, description));
  parts.push(made("table", "", made("tbody", "", ...rows)));
  if (told.requestBody) {
    const shown = Object.fromEntries(Object.entries(schemas).filter(([name]) => !["Refusal", "State"].includes(name)));
    parts.push(made("details", "", made("summary", "Guidance"), made("pre", JSON.stringify(shown, null, 1))));
  }
  return made("article", "", ...parts);
}

async function describe() {
  const told = await (await fetch("openapi.json")).json();
  at("about").textContent = `${told.info.description.replaceAll("`", "")} Version ${told.info.version}.`;
  at("wishes").append(...told.paths["/colorize"].post.parameters.map(field));
  at("paths").append(made("h2", "Paths"));
  for (const [path, methods] of Object.entries(told.paths))
    for (const [method, one] of Object.entries(methods)) at("paths").append(article(path, method, one, told.components.schemas));
}

async function colour(event) {
  event.preventDefault();
  const query = new URLSearchParams();
  for (const one of document.querySelectorAll("[data-wish]")) if (one.value) query.set(one.dataset.wish, one.value);
  const form = new FormData();
  const photo = at("photo").files[0];
  form.set("photo", photo);
  if (at("guidance").value.trim()) form.set("guidance", at("guidance").value);
  const button = event.target.querySelector("button");
  button.disabled = true;
  at("told").textContent = "…";
  const began = performance.now();
  try {
    const answer = await fetch(`colorize?${query}`, { method: "POST", body: form });
    if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.json()).error}`);
    const blob = await answer.blob();
    URL.revokeObjectURL(at("answer").src);
    at("answer").src = at("keep").href = URL.createObjectURL(blob);
    at("keep").download = `${photo.name.replace(/\.\w+$/, "")}-colour.${blob.type.slice(6).replace("jpeg", "jpg").replace("tiff", "tif")}`;
    at("answer").hidden = at("keep").hidden = false;
    at("told").textContent = `${blob.type}, ${(blob.size / 1e6).toFixed(2)} MB, ${((performance.now() - began) / 1000).toFixed(2)} s`;
  } catch (error) {
    at("told").textContent = error.message;
  }
  button.disabled = false;
}

at("form").addEventListener("submit", colour);
await describe();
