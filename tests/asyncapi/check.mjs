// Parses the AsyncAPI document named on the command line by AsyncAPI's own parser, its Avro schemas included.
// Prints how many channels it has; says each error and ends with 1 where there is any.
import { readFileSync } from "node:fs";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], "utf8"));
const errors = diagnostics.filter((found) => found.severity === 0);
for (const { message, path } of errors) console.error(`${path.join(".")}: ${message}`);
if (errors.length > 0 || document === undefined) process.exit(1);
console.log(`${document.channels().length} channels, ${document.messages().length} messages`);
