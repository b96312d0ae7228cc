import { LakeError } from '../errors.ts';
import { newMetaData, type Action, type AddFile, type MetaData } from './actions.ts';
import { rootPartition } from './rootPartition.ts';
import { columnsFingerprint, mergedSchema, schemaString } from './schema.ts';
import { SKIPPING_PROPERTY, withSkippingColumns } from './skipping.ts';
import type { Snapshot } from './snapshot.ts';
import type { TableSpec } from './table.ts';

/** A table as this version describes it in the log. */
export interface TableDescription {
  /** Tag of files with the columns of this version. */
  readonly columnsTag: string;
  /** Partition values of every file, by the table's root. */
  readonly partition: Readonly<Record<string, string>>;
  /** Metadata of a new table, made at a time by the store's clock. */
  create(createdTime: number): MetaData;
  /**
   * Metadata with the columns and properties of this version; undefined if the table has them.
   * @throws LakeError table_schema_conflict
   */
  amended(metaData: MetaData): MetaData | undefined;
  /** Action that replaces the schema by that of this version, for a table whose rows are all replaced. */
  renewed(base: Snapshot): Action[];
  /**
   * Files that lack partition values of the root, to be added again with them in a commit of their own.
   * Older versions and other tools omit them. Undefined if none does, or if the columns conflict.
   */
  completed(base: Snapshot): Action[] | undefined;
  /** Whether a commit would describe the table anew. */
  isOutdated(base: Snapshot): boolean;
}

/** Describe a table by its spec. */
export function describeTable({ root, columns, partitionColumns }: TableSpec): TableDescription {
  const partition = rootPartition(root);
  const partitionNames = [...Object.keys(partition), ...partitionColumns];
  const wanted = schemaString(columns, partitionNames);
  const rename = (metaData: MetaData): MetaData => {
    const missing = partitionNames.filter((name) => !metaData.partitionColumns.includes(name));
    const configuration = withSkippingColumns(metaData.configuration, columns);
    if (missing.length === 0 && configuration === metaData.configuration) return metaData;
    return { ...metaData, partitionColumns: [...missing, ...metaData.partitionColumns], configuration };
  };
  const amended = (metaData: MetaData): MetaData | undefined => {
    const merged = mergedSchema(root, metaData.schemaString, wanted);
    const renamed = rename(merged === undefined ? metaData : { ...metaData, schemaString: merged });
    return renamed === metaData ? undefined : renamed;
  };
  const fits = (metaData: MetaData): boolean => {
    try {
      mergedSchema(root, metaData.schemaString, wanted);
      return true;
    } catch (error) {
      if (error instanceof LakeError && error.code === 'table_schema_conflict') return false;
      throw error;
    }
  };
  const isComplete = ({ partitionValues }: AddFile): boolean =>
    Object.keys(partition).every((name) => partitionValues[name] !== undefined);
  const completed = ({ metaData, files }: Snapshot): Action[] | undefined => {
    const incomplete = [...files.values()].filter((file) => !isComplete(file));
    if (!metaData || incomplete.length === 0 || !fits(metaData)) return undefined;
    return incomplete.map((file) => {
      const partitionValues = { ...partition, ...file.partitionValues };
      return { add: { ...file, partitionValues, dataChange: false } };
    });
  };
  return {
    columnsTag: columnsFingerprint(columns),
    partition,
    create: (createdTime) => rename(newMetaData(wanted, { partitionColumns: partitionNames, createdTime })),
    amended,
    renewed: ({ metaData }) => {
      if (!metaData) return [];
      const { [SKIPPING_PROPERTY]: _ofOldColumns, ...configuration } = metaData.configuration;
      const renewed = rename({ ...metaData, schemaString: wanted, configuration });
      return JSON.stringify(renewed) === JSON.stringify(metaData) ? [] : [{ metaData: renewed }];
    },
    completed,
    isOutdated: (base) => {
      const { metaData } = base;
      if (!metaData || !fits(metaData)) return false;
      return completed(base) !== undefined || amended(metaData) !== undefined;
    },
  };
}
