// Reads {"tables": {name: "(column: type, …)"}, "queries": {name: text}} and prints {name: [fault, …]}: what Microsoft's own
// parser and binder of the Kusto Query Language have to say about each query.
const fs = require("fs");
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { Symbols, GlobalState, KustoCode } = Kusto.Language;
const { tables, queries } = JSON.parse(fs.readFileSync(0, "utf8"));
const symbols = Object.entries(tables).map(([name, schema]) => Symbols.TableSymbol.From(schema).WithName(name));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("insights", symbols));

const faults = {};
for (const [name, text] of Object.entries(queries)) {
  const found = KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
  faults[name] = [];
  for (let i = 0; i < found.Count; i++) faults[name].push(found.getItem(i).Message);
}
process.stdout.write(JSON.stringify(faults));
