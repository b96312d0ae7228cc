#!/usr/bin/env bash
# Run Ceph's monitor, OSD and S3 gateway. The first start creates the cluster and its one user. All data is in /data.
# Variables: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the user; CEPH_DISK_GIB, the size of the sparse disk file.
set -euo pipefail

: "${AWS_ACCESS_KEY_ID:?is not set: choose an access key}" "${AWS_SECRET_ACCESS_KEY:?is not set: choose a secret key}"
# The gateway fails if the image lacks the locale.
export LC_ALL=C

config=/data/ceph.conf
made=/data/made
pids=()

run() { CEPH_CONF=$config "$@"; }
start() { CEPH_CONF=$config "$@" & pids+=($!); }

# Stop in reverse order: gateway, disk, monitor. A clean stop of the gateway takes half a minute, so it is killed. All its
# data is on the disk already.
stop() {
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2>/dev/null || continue
    for _ in $(seq 50); do
      kill -0 "${pids[i]}" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
}
trap 'stop; exit 0' TERM INT

monitor_answers() {
  for _ in $(seq 150); do
    run ceph --connect-timeout 5 mon stat >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo 'the monitor does not answer' >&2
  exit 1
}

# Repeat an interrupted first start from the beginning: no object is stored yet.
if [ ! -e "$made" ]; then
  rm -rf /data/mon /data/osd /data/rgw /data/keyring /data/monmap
  mkdir -p /data/mon /data/osd /data/rgw
  fsid=$(cat /proc/sys/kernel/random/uuid)
  sed "s/^\[global\]/&\nfsid = $fsid\nbluestore_block_size = $((${CEPH_DISK_GIB:-64} * 1024 ** 3))/" /etc/spor-s3/ceph.conf >"$config"
  keyring() { run ceph-authtool /data/keyring --gen-key "$@" >/dev/null; }
  run ceph-authtool --create-keyring /data/keyring >/dev/null
  keyring -n mon. --cap mon 'allow *'
  keyring -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  keyring -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  keyring -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
  run monmaptool --create --fsid "$fsid" --addv a '[v2:127.0.0.1:3300]' /data/monmap >/dev/null
  run ceph-mon --mkfs -i a --monmap /data/monmap --keyring /data/keyring
fi
mkdir -p /data/run

start ceph-mon -f -i a
monitor_answers
if [ ! -e "$made" ]; then
  disk=$(cat /proc/sys/kernel/random/uuid)
  run ceph osd new "$disk" >/dev/null
  run ceph-osd -i 0 --mkfs --osd-uuid "$disk"
fi
start ceph-osd -f -i 0
if [ ! -e "$made" ]; then
  run radosgw-admin -n client.rgw user create --uid=spor --display-name=spor \
    --access-key="$AWS_ACCESS_KEY_ID" --secret-key="$AWS_SECRET_ACCESS_KEY" >/dev/null
  touch "$made"
fi
start radosgw -f -n client.rgw

# If one part ends, stop the others. The container's restart policy starts all again.
wait -n "${pids[@]}" || true
stop
exit 1
