// One JSON object per line in, {engine, source, data}; one JSON text per line out: what the engine makes of it.
const readline = require("node:readline");
const Handlebars = require("handlebars");
const { Liquid } = require("liquidjs");

// SendGrid's helpers, as its documentation describes them: comparisons coerce, each has an else branch.
const block = (holds) => function (left, right, options) { return holds(left, right) ? options.fn(this) : options.inverse(this); };
Handlebars.registerHelper("equals", block((left, right) => left == right));
Handlebars.registerHelper("notEquals", block((left, right) => left != right));
Handlebars.registerHelper("greaterThan", block((left, right) => left > right));
Handlebars.registerHelper("lessThan", block((left, right) => left < right));

const liquid = new Liquid();
const engines = {
  handlebars: (source, data) => Handlebars.compile(source)(data),
  liquid: (source, data) => liquid.parseAndRenderSync(source, data),
};
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { engine, source, data } = JSON.parse(line);
  process.stdout.write(JSON.stringify(engines[engine](source, data)) + "\n");
});
