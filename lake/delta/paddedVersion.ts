/** A table version in file names: 20 digits (Delta protocol, "Delta Log Entries"). */
export function paddedVersion(version: number): string {
  return String(version).padStart(20, '0');
}
