import { randomUUID } from 'node:crypto';
import { isId } from '../../schemas/subjects.ts';
import type { TableColumn } from '../delta/schema.ts';
import type { TableSpec } from '../delta/table.ts';
import { LakeError } from '../errors.ts';

/** Columns of the catalogue: a row is a version of a product. Their ids in files are for ever. */
export const CATALOGUE_COLUMNS = [
  { name: 'product_id', type: 'string', description: 'Id of the product, as events have it.' },
  { name: 'name', type: 'string', bounds: false, description: 'Name for people.' },
  { name: 'url', type: 'string', bounds: false, description: 'Page of the product.' },
  { name: 'image_url', type: 'string', bounds: false, description: 'Picture of the product.' },
  { name: 'category', type: { list: 'string' }, bounds: false, description: 'Path of categories from the top.' },
  { name: 'brand', type: 'string', bounds: false, description: 'Brand.' },
  { name: 'price', type: 'decimal', description: 'Price.' },
  { name: 'currency', type: 'string', description: 'Currency of price and cost.' },
  { name: 'cost', type: 'decimal', bounds: false, description: 'What one piece costs the shop, without tax.' },
  { name: 'stock', type: 'decimal', description: 'Pieces that can be sold; 0 or less is sold out.' },
  { name: 'properties', type: 'json', bounds: false, description: 'Anything else, as JSON.' },
  { name: 'removed', type: 'boolean', description: 'Whether the product left the catalogue with this version.' },
  { name: 'valid_from', type: 'timestamp', description: 'Time from which the version is valid.' },
  { name: 'imported_at', type: 'timestamp', description: 'Time of the import; of equal valid_from the latest counts.' },
] as const satisfies TableColumn[];

/**
 * A tenant's catalogue, with a partition per segment.
 *
 * It names no person and has no days: erasure and retention leave it alone.
 * @throws LakeError storage_path_invalid
 */
export function catalogueSpec(tenantId: string): TableSpec {
  if (!isId(tenantId))
    throw new LakeError('storage_path_invalid', `tenant id ${JSON.stringify(tenantId)} is not allowed`);
  return { root: `catalogue/tenant=${tenantId}`, columns: CATALOGUE_COLUMNS, partitionColumns: ['segment'] };
}

/** A new path within the table, such as `segment=web/catalogue-<uuid>.parquet`. @throws LakeError */
export function newCatalogueFilePath(segment: string): string {
  if (!isId(segment))
    throw new LakeError('storage_path_invalid', `segment id ${JSON.stringify(segment)} is not allowed`);
  return `segment=${segment}/catalogue-${randomUUID()}.parquet`;
}
