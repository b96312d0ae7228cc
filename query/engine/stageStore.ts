import { literal } from '../../lake/duckdb/sqlText.ts';
import type { Json } from '../formats/values.ts';
import type { Stage } from '../insight/stages.ts';
import { copyTo, scratchRows, type BuildScratch } from './chunkStore.ts';
import { holdAll, type HeldFile, type ScratchFiles } from './scratchFiles.ts';
import type { ViewCatalog } from './views.ts';

/** Stages to hold, and what they are made of. */
export interface StageRequest {
  /** In order, with those that the wanted ones read. */
  stages: readonly Stage[];
  wanted: ReadonlySet<string>;
  /** Keys of the stages' files by name. */
  keys: ReadonlyMap<string, string>;
  /** Statements that create the other relations, and the files that these read. */
  base: { views: readonly string[]; files: readonly string[] };
  /** Statements after a stage, whose rows are facts of its file. */
  facts: Readonly<Record<string, string>>;
  sharedIds: boolean;
  build: BuildScratch;
}

export interface StageStore {
  /** Holds the files of the wanted stages, by name; makes the missing ones in one database. @throws LakeError */
  hold(request: StageRequest): Promise<ReadonlyMap<string, HeldFile>>;
}

/** Wide stages: without a file where only other stages read them. */
const WIDE: ReadonlySet<string> = new Set(['activity']);

/** The statement that creates a relation over scratch files. */
export function scratchView(name: string, files: readonly { path: string }[]): string {
  return `CREATE TEMP VIEW ${name} AS SELECT * FROM ${scratchRows(files)}`;
}

/** Creates a store of stages. */
export function createStageStore({ scratch, catalog }: { scratch: ScratchFiles; catalog: ViewCatalog }): StageStore {
  return {
    // Without an await until all files are held, so that callers at once make each stage once.
    hold: async (request) => {
      const { wanted, keys } = request;
      const isKnown = ({ name }: Stage): boolean => scratch.has(keys.get(name)!);
      const needed = neededStages(request, isKnown);
      const known = new Map<string, Promise<HeldFile>>();
      const made = new Map<string, { path: string; stage: Stage }>();
      for (const stage of needed) {
        const key = keys.get(stage.name)!;
        if (isKnown(stage)) known.set(stage.name, scratch.hold(key, '', neverMade));
        else if (wanted.has(stage.name) || !WIDE.has(stage.name))
          made.set(stage.name, { path: scratch.newPath(), stage });
      }
      let job: Promise<ReadonlyMap<string, Json[][]>> | undefined;
      const build = async (): Promise<ReadonlyMap<string, Json[][]>> => {
        const found = new Map<string, string>();
        for (const [name, file] of known) found.set(name, (await file).path);
        const steps = needed.flatMap((stage) => stageSteps(stage, { found, made, needed, facts: request.facts }));
        const text = steps.map(({ sql }) => sql).join('\n');
        const before = [...catalog.macros(text, request), ...request.base.views];
        const rows = await request.build({
          statements: [...before, ...steps.map(({ sql }) => sql)],
          files: [...request.base.files, ...found.values(), ...[...made.values()].map(({ path }) => path)],
        });
        const own = rows.slice(before.length);
        return new Map(steps.flatMap(({ factsOf }, index) => (factsOf ? [[factsOf, own[index]!]] : [])));
      };
      const making = [...made].map(([name, { path }]) => {
        const make = async (): Promise<Json[][]> => (await (job ??= build())).get(name) ?? [];
        return [name, scratch.hold(keys.get(name)!, path, make)] as const;
      });
      const all = [...known, ...making];
      const files = await holdAll(all.map(([, file]) => file));
      return new Map(all.map(([name], index) => [name, files[index]!]));
    },
  };
}

/** The wanted stages, and those that stages without a file read. */
function neededStages({ stages, wanted }: StageRequest, isKnown: (stage: Stage) => boolean): Stage[] {
  const needed = new Set(wanted);
  for (const stage of stages.toReversed())
    if (needed.has(stage.name) && !isKnown(stage)) stage.reads.forEach((name) => needed.add(name));
  return stages.filter(({ name }) => needed.has(name));
}

interface Step {
  sql: string;
  /** Stage whose file has the rows of this statement as facts. */
  factsOf?: string;
}

function stageSteps(
  stage: Stage,
  context: {
    found: ReadonlyMap<string, string>;
    made: ReadonlyMap<string, { path: string }>;
    needed: readonly Stage[];
    facts: StageRequest['facts'];
  },
): Step[] {
  const { name, sql } = stage;
  const { found, made, needed, facts } = context;
  const known = found.get(name);
  if (known !== undefined) return [{ sql: scratchView(name, [{ path: known }]) }];
  const file = made.get(name);
  if (file) {
    const fact = facts[name];
    return [
      { sql: copyTo(file.path, sql) },
      { sql: scratchView(name, [file]) },
      ...(fact === undefined ? [] : [{ sql: fact, factsOf: name }]),
    ];
  }
  const readers = needed.filter((other) => made.has(other.name) && other.reads.includes(name));
  if (readers.length < 2) return [{ sql: `CREATE TEMP VIEW ${name} AS ${sql}` }];
  const columns = wordsOf(readers.map((reader) => reader.sql)).map(literal);
  return [
    { sql: `CREATE TEMP TABLE ${name} AS SELECT COLUMNS(name -> name IN (${columns.join(', ')})) FROM (${sql})` },
  ];
}

/** The words of some statements, among them the columns that they read. */
function wordsOf(statements: readonly string[]): string[] {
  return [...new Set(statements.join('\n').match(/\b[a-z_][a-z0-9_]*\b/g))];
}

function neverMade(): never {
  throw new Error('a stage is known, but its file is not');
}
