import { flag, whole, type Setting } from '../../runtime/config.ts';

/** Settings of maintenance, for the processor. */
export const MAINTENANCE_SETTINGS = {
  maintenance: flag('MAINTENANCE', 'processors compact, checkpoint, clean logs and vacuum', true),
  maintenanceSharePercent: whole(
    'MAINTENANCE_SHARE_PERCENT',
    "limit of maintenance in percent of a processor's time",
    20,
    1,
    100,
  ),
  compactAfterSeconds: whole('COMPACT_AFTER_SECONDS', 'age at which files are merged', 600, 0, 86_400),
  maintenanceMemoryMb: whole('MAINTENANCE_MEMORY_MB', "memory limit of a compaction's sort, in MiB", 512, 256, 65_536),
  logRetentionHours: whole('LOG_RETENTION_HOURS', 'time for which old versions of a table can be read', 168, 1, 8_760),
  vacuumGraceHours: whole('VACUUM_GRACE_HOURS', 'time for which files stay after they leave their table', 24, 1, 168),
} satisfies Record<string, Setting<unknown>>;
