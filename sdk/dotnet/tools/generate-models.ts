import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ErrorKind } from '../../../schemas/errorKind.ts';
import { REQUEST_ERRORS } from '../../../schemas/errors.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import { createRegistry, loadSchemaFiles, type JsonSchema } from '../../../schemas/registry.ts';
import { modelFiles } from './csharpModel.ts';

const FOLDER = new URL('../src/Spor.Tracking/Generated/', import.meta.url);

/**
 * Writes the C# files derived from schemas/: event classes, published limits and which error codes may be sent again.
 * With `--check` writes nothing and fails, naming the file, when one is not current.
 */
function main(check: boolean): void {
  const schemas = loadSchemaFiles();
  const common = commonFields(schemas);
  const outputs: Record<string, string> = {
    ...modelFiles(createRegistry(schemas), common),
    'ReceiverLimits.cs': limits(),
    'FinalCodes.cs': finalCodes(),
    'RetryableCodes.cs': retryableCodes(),
  };
  for (const [name, text] of Object.entries(outputs)) outputs[name] = tidy(text);
  mkdirSync(FOLDER, { recursive: true });
  const present = readdirSync(FOLDER);
  const stale = Object.keys(outputs).filter((name) => !present.includes(name) || read(name) !== outputs[name]);
  const left = present.filter((name) => outputs[name] === undefined);
  if (!check) {
    for (const name of stale) writeFileSync(new URL(name, FOLDER), outputs[name]!);
    for (const name of left) rmSync(new URL(name, FOLDER));
  } else if (stale.length + left.length > 0) {
    process.stderr.write(
      `${[...stale, ...left].join(', ')}: not current, run node sdk/dotnet/tools/generate-models.ts\n`,
    );
    process.exitCode = 1;
  }
}

/** The fields that events of every type have. */
function commonFields(schemas: ReadonlyMap<string, JsonSchema>): JsonSchema {
  const [common, experiments] = ['common.v1.json', 'experiments.v1.json'].map((name) => schemas.get(name));
  if (!common || !experiments) throw new Error('schemas/events has no common.v1.json or experiments.v1.json');
  return { ...common, properties: { ...common.properties, ...experiments.properties } };
}

function read(name: string): string {
  return readFileSync(new URL(name, FOLDER), 'utf8');
}

function tidy(text: string): string {
  return text
    .replaceAll(/\n{3,}/g, '\n\n')
    .replaceAll(/\n\n( *\})/g, '\n$1')
    .replaceAll(/\{\n\n/g, '{\n');
}

function limits(): string {
  return `// Written by tools/generate-models.ts from schemas/limits.ts. Do not edit.

namespace Spor.Tracking;

/// <summary>Published limits of the Event Receiver.</summary>
internal static class ReceiverLimits
{
    /// <summary>A request body, before and after decompression.</summary>
    public const int BodyBytes = ${LIMITS.bodyBytes};

    /// <summary>One event as compact JSON.</summary>
    public const int EventBytes = ${LIMITS.eventBytes};

    /// <summary>Events in a batch.</summary>
    public const int BatchEvents = ${LIMITS.batchEvents};

    /// <summary>Depth of objects and lists within properties.</summary>
    public const int PropertiesDepth = ${LIMITS.propertiesDepth};
}
`;
}

/** Answers to other routes, or to none: nothing is said about a batch. */
const ELSEWHERE = ['metrics_token_wrong', 'not_found', 'method_not_allowed'];

function finalCodes(): string {
  const codes = Object.entries<ErrorKind>(REQUEST_ERRORS).filter(([, kind]) => !kind.retryable);
  return `// Written by tools/generate-models.ts from schemas/errors.ts. Do not edit.

namespace Spor.Tracking;

/// <summary>Which error codes of the Event Receiver say that sending the same again cannot succeed.</summary>
internal static class FinalCodes
{
    public static bool Contains(string? code) => code is
        ${codes
          .filter(([code]) => !ELSEWHERE.includes(code))
          .map(([code]) => `"${code}"`)
          .join(' or\n        ')};
}
`;
}

function retryableCodes(): string {
  const codes = Object.entries<ErrorKind>(REQUEST_ERRORS).filter(([, kind]) => kind.retryable);
  return `// Written by tools/generate-models.ts from schemas/errors.ts. Do not edit.

namespace Spor.Tracking;

/// <summary>Which error codes of the Event Receiver say that sending the same again may succeed.</summary>
internal static class RetryableCodes
{
    public static bool Contains(string? code) => code is
        ${codes.map(([code]) => `"${code}"`).join(' or\n        ')};
}
`;
}

main(process.argv.includes('--check'));
