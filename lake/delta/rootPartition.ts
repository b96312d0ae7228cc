/**
 * Partition values that the folders of a table's root state: `events/tenant=demo-shop` has `{tenant: 'demo-shop'}`.
 * They are partition columns of the table too. Polars takes columns from every `name=value` folder of a path, and refuses a
 * table that lacks one.
 */
export function rootPartition(root: string): Record<string, string> {
  const stated = root.split('/').flatMap((folder) => {
    const [, name, value] = /^(\w+)=(.+)$/.exec(folder) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(stated);
}
