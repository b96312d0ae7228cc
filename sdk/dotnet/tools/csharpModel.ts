import type { JsonSchema, Registry } from '../../../schemas/registry.ts';

const NOTE = '// Written by tools/generate-models.ts from schemas/. Do not edit.\n';

/** Common fields a visitor of the current request stands in for where an event leaves them out. */
const FROM_VISITOR = new Set(['sessionId', 'anonymousId', 'userId', 'consent', 'context']);

/** Fields the client fills in by itself; they are written before all others. */
const FROM_CLIENT = new Set(['eventId', 'type', 'timestamp']);

/** Class names that the general rule (`<Event><Field>`) would make clumsy. */
const CLASS_NAMES: Record<string, string> = {
  'OrderCreated.lines': 'OrderLine',
  'OrderCorrected.lines': 'OrderLine',
  'CheckoutStarted.lines': 'OrderLine',
  'OrderCancelled.lines': 'ReturnedLine',
  'OrderRefunded.lines': 'ReturnedLine',
  'Search.filters': 'SearchFilter',
  'ProductsShown.products': 'ShownProduct',
  'TrackingEvent.context': 'EventContext',
  'TrackingEvent.consent': 'Consent',
  'TrackingEvent.experiments': 'Experiment',
};

/** Fields of a further constructor, which earlier versions had. */
const FURTHER_CONSTRUCTORS: Record<string, string[]> = {
  OrderLine: ['productId', 'quantity', 'unitPrice'],
  Search: ['phrase', 'resultsCount'],
  ShownProduct: ['productId', 'position'],
};

/** What a C# caller should know beyond the schema's description. */
const REMARKS: Record<string, string> = {
  eventId: 'Null: the client makes one (version 7) when the event is tracked.',
  timestamp: 'Null: the time when it is tracked.',
};

interface Field {
  /** Name in JSON. */
  json: string;
  property: string;
  parameter: string;
  /** Type in C#, without the question mark of an optional one. */
  type: string;
  schema: JsonSchema;
  required: boolean;
}

/**
 * C# files by name: the base class with the common fields, a class per event type (latest version) and per nested object.
 * @throws Error when a schema uses a construct that has no C# counterpart here.
 */
export function modelFiles(registry: Registry, common: JsonSchema): Record<string, string> {
  const files: Record<string, string> = {};
  // The registry has the common fields with their references resolved, under every type.
  const resolved = [...registry.latest.values()][0]!.schema.properties;
  const names = Object.keys(common.properties ?? {}).filter((name) => name !== 'type');
  files['TrackingEvent.cs'] = baseClass(
    common.description ?? '',
    names.map((name) => [name, resolved[name]!]),
    files,
  );
  for (const { type, schema } of registry.latest.values()) {
    const own = Object.entries(schema.properties).filter(([name]) => common.properties?.[name] === undefined);
    const required = new Set(schema.required);
    files[`${type}.cs`] = eventClass(type, schema, fieldsOf(type, own, required, files));
  }
  return files;
}

function fieldsOf(
  owner: string,
  properties: [string, JsonSchema][],
  required: Set<string>,
  files: Record<string, string>,
): Field[] {
  return properties.map(([json, schema]) => ({
    json,
    property: json[0]!.toUpperCase() + json.slice(1),
    parameter: json,
    type: csharpType(owner, json, schema, files),
    schema,
    required: required.has(json),
  }));
}

function csharpType(owner: string, name: string, schema: JsonSchema, files: Record<string, string>): string {
  switch (schema.type) {
    case 'string':
      if (schema.format === 'uuid') return 'Guid';
      return schema.format === 'date-time' ? 'DateTimeOffset' : 'string';
    case 'boolean':
      return 'bool';
    case 'integer':
      return (schema.maximum ?? Infinity) <= 2147483647 ? 'int' : 'long';
    case 'number':
      return schema.multipleOf === undefined ? 'double' : 'decimal';
    case 'array':
      return `IReadOnlyList<${csharpType(owner, name, schema.items!, files)}>`;
    case 'object': {
      if (!schema.properties) return 'IReadOnlyDictionary<string, object?>';
      const nested =
        CLASS_NAMES[`${owner}.${name}`] ?? owner + name[0]!.toUpperCase() + name.slice(1).replace(/s$/, '');
      const fields = fieldsOf(nested, Object.entries(schema.properties), new Set(schema.required), files);
      files[`${nested}.cs`] = nestedClass(nested, schema, owner, fields);
      return nested;
    }
    default:
      throw new Error(`${owner}.${name}: type ${String(schema.type)} has no C# counterpart in tools/csharpModel.ts`);
  }
}

const USINGS = `using System;
using System.Collections.Generic;
using System.Text.Json;
`;

function header(fields: Field[]): string {
  const types = fields.map(({ type }) => type).join(' ');
  const usings = USINGS.split('\n').filter(
    (line) =>
      line.includes('Text.Json') ||
      (line === 'using System;' && /\b(Guid|DateTimeOffset)\b/.test(types)) ||
      (line.includes('Generic') && types.includes('IReadOnly')),
  );
  return `${NOTE}${usings.join('\n')}

namespace Spor.Tracking;
`;
}

function baseClass(description: string, all: [string, JsonSchema][], files: Record<string, string>): string {
  const fields = fieldsOf('TrackingEvent', all, new Set(), files);
  const own = fields.filter(({ json }) => !FROM_CLIENT.has(json));
  return `${header(fields)}
/// <summary>${xml(description)}</summary>
/// <remarks>
/// Once handed to <see cref="TrackingClient.Track(TrackingEvent)"/> an event must not be changed: it is written as JSON later, on another
/// thread.
/// </remarks>
public abstract class TrackingEvent
{
    private protected TrackingEvent()
    {
    }

    /// <summary>The event type, as the receiver knows it.</summary>
    public abstract string EventType { get; }
${fields.map(property).join('')}
    internal abstract void WriteFields(Utf8JsonWriter writer);

    internal void WriteCommonFields(Utf8JsonWriter writer, Visitor? visitor)
    {
${own.map((field) => indent(write(field, FROM_VISITOR.has(field.json) ? `${field.property} ?? visitor?.${field.property}` : field.property))).join('\n')}
    }
}
`;
}

function eventClass(type: string, schema: JsonSchema, fields: Field[]): string {
  return `${header(fields)}
/// <summary>${xml(schema.description ?? '')}</summary>
public sealed class ${type} : TrackingEvent
{
${constructor(type, fields)}
    /// <inheritdoc/>
    public override string EventType => "${type}";
${fields.map(property).join('')}
    internal override void WriteFields(Utf8JsonWriter writer)
    {
${fields.map((field) => indent(write(field, field.property))).join('\n')}
    }
}
`;
}

function nestedClass(name: string, schema: JsonSchema, owner: string, fields: Field[]): string {
  const description = schema.description ?? `One of the ${fieldNameOf(name)} of ${owner}.`;
  return `${header(fields)}
/// <summary>${xml(description)}</summary>
public sealed class ${name}
{
${fields.some(({ required }) => required) ? `${constructor(name, fields)}` : ''}${fields
    .map(property)
    .join('')
    .replace(/^\n/, fields.some(({ required }) => required) ? '\n' : '')}
    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
${fields.map((field) => indent(write(field, field.property))).join('\n')}
        writer.WriteEndObject();
    }
}
`;
}

function fieldNameOf(name: string): string {
  const field = Object.entries(CLASS_NAMES).find(([, value]) => value === name)?.[0];
  return field?.split('.')[1] ?? 'parts';
}

function constructor(name: string, fields: Field[]): string {
  const required = fields.filter((field) => field.required);
  const further = FURTHER_CONSTRUCTORS[name]?.map((json) => fields.find((field) => field.json === json)!);
  return [required, further]
    .filter((parameters) => parameters !== undefined)
    .map((parameters) => constructorOf(name, parameters))
    .join('\n');
}

function constructorOf(name: string, given: Field[]): string {
  const docs = given.map(
    ({ parameter, schema }) => `    /// <param name="${parameter}">${xml(describe(schema))}</param>`,
  );
  const parameters = given.map(({ type, parameter }) => `${type} ${parameter}`).join(', ');
  const creates = given.every(({ required }) => required)
    ? `Creates it with the fields every ${name} has.`
    : `Creates it with ${given.map(({ parameter }) => parameter).join(', ')}.`;
  const summary = `    /// <summary>${given.length > 0 ? creates : 'Creates it.'}</summary>`;
  return `${[summary, ...docs].join('\n')}
    public ${name}(${parameters})
    {
${given.map(({ property, parameter }) => `        ${property} = ${parameter};`).join('\n')}
    }
`;
}

function property({ json, property: name, type, schema, required }: Field): string {
  const optional = required ? '' : '?';
  const remark = REMARKS[json] ? ` ${REMARKS[json]}` : '';
  return `
    /// <summary>${xml(describe(schema) + remark)}</summary>
    public ${type}${optional} ${name} { get; set; }
`;
}

function describe(schema: JsonSchema): string {
  const description = schema.description ?? '';
  const rounded = schema.type === 'number' && schema.multipleOf !== undefined && !description.includes('four decimals');
  return rounded ? `${description} Sent with at most four decimals.` : description;
}

/** Statements that write one field; absent values are left out. */
function write(field: Field, value: string): string {
  const { schema, json, type } = field;
  const name = `"${json}"u8`;
  const optionalStruct =
    !field.required && ['bool', 'int', 'long', 'double', 'decimal', 'Guid', 'DateTimeOffset'].includes(type);
  const local = field.parameter;
  const guard = `if (${value.includes('??') ? `(${value})` : value} is { } ${local})\n{\n`;
  if (schema.type === 'array') {
    return `${guard}    writer.WriteStartArray(${name});\n    foreach (var item in ${local})\n    {\n        ${writeItem(schema.items!)}\n    }\n\n    writer.WriteEndArray();\n}\n`;
  }
  if (schema.type === 'object' && schema.properties) {
    return `${guard}    writer.WritePropertyName(${name});\n    ${local}.Write(writer);\n}\n`;
  }
  if (schema.type === 'object')
    return `${guard}    writer.WritePropertyName(${name});\n    JsonValue.Write(writer, ${local});\n}\n`;
  if (type === 'string' || optionalStruct) return `${guard}    ${writeScalar(name, type, local)}\n}\n`;
  return `${writeScalar(name, type, value)}\n`;
}

function writeScalar(name: string, type: string, value: string): string {
  switch (type) {
    case 'string':
    case 'Guid':
      return `writer.WriteString(${name}, ${value});`;
    case 'DateTimeOffset':
      return `writer.WriteString(${name}, ${value}.UtcDateTime);`;
    case 'bool':
      return `writer.WriteBoolean(${name}, ${value});`;
    case 'decimal':
      return `writer.WriteNumber(${name}, FourDecimals.Rounded(${value}));`;
    default:
      return `writer.WriteNumber(${name}, ${value});`;
  }
}

function writeItem(schema: JsonSchema): string {
  switch (schema.type) {
    case 'string':
      return 'writer.WriteStringValue(item);';
    case 'object':
      return 'item.Write(writer);';
    default:
      throw new Error(`a list of ${String(schema.type)} has no C# counterpart in tools/csharpModel.ts`);
  }
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `        ${line}`))
    .join('\n');
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
