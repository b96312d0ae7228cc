#!/usr/bin/env bash
# ceph-up.sh ROOT DATA PORT: runs one S3 server on 127.0.0.1:PORT from the tree that ceph-fetch.sh unpacked into ROOT, its
# objects in memory, everything else in the new folder DATA. Uses the 100 ports from PORT on. Needs root: it works in a
# mount namespace and a chroot of its own. Access key and secret come as S3_KEY and S3_SECRET. Prints "up" once it serves,
# then waits; to stop it, make the file DATA/run/stopping, then end the processes named in DATA/run: rgw.pid, then osd.pid, then
# mon.pid.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # chroot lies there, and not everyone has it on the path
root=$1 data=$2 port=$3
if [ -z "${IN_NAMESPACE:-}" ]; then exec env IN_NAMESPACE=1 unshare --mount --propagation private bash "$0" "$@"; fi

mkdir -p "$data"/{mon,osd,rgw,run,log}
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$data" "$root/data"
export LC_ALL=C.UTF-8 CEPH_CONF=/data/ceph.conf
inside() { chroot "$root" "$@"; }
# With & behind it, $! is the daemon's own process.
daemon() { exec chroot "$root" "$@"; }

mon_address="[v2:127.0.0.1:$((port + 1))]"
fsid=$(cat /proc/sys/kernel/random/uuid)
osd_id=$(cat /proc/sys/kernel/random/uuid)
cat > "$data/ceph.conf" << CONF
[global]
fsid = $fsid
mon_host = $mon_address
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_port_min = $((port + 10))
ms_bind_port_max = $((port + 99))
auth_allow_insecure_global_id_reclaim = false
keyring = /data/keyring
run_dir = /data/run
log_file = /data/log/\$name.log
mon_cluster_log_file = /data/log/cluster.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 500
mon_data_avail_crit = 1
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_memory_target = 1073741824
rgw_data = /data/rgw
rgw_dynamic_resharding = false
rgw_enable_apis = s3
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
[mon.a]
mon_data = /data/mon
[osd.0]
osd_data = /data/osd
CONF

inside monmaptool --create --clobber --fsid "$fsid" --addv a "$mon_address" /data/monmap > /dev/null
inside ceph-authtool --create-keyring /data/keyring --gen-key -n mon. --cap mon 'allow *' > /dev/null
inside ceph-authtool /data/keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' > /dev/null
inside ceph-authtool /data/keyring --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' > /dev/null
inside ceph-authtool /data/keyring --gen-key -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx' > /dev/null
inside ceph-mon --mkfs -i a --monmap /data/monmap --keyring /data/keyring
daemon ceph-mon -f -i a > "$data/log/mon.out" 2>&1 &
echo $! > "$data/run/mon.pid"
for _ in $(seq 200); do
  inside ceph --connect-timeout 5 mon stat > /dev/null 2>&1 && break
  sleep 0.05
done
inside ceph osd new "$osd_id" > /dev/null
inside ceph-osd -i 0 --mkfs --osd-uuid "$osd_id" > "$data/log/mkfs.out" 2>&1
daemon ceph-osd -f -i 0 > "$data/log/osd.out" 2>&1 &
echo $! > "$data/run/osd.pid"
inside radosgw-admin -n client.rgw user create --uid=lake --display-name=lake \
  --access-key="$S3_KEY" --secret-key="$S3_SECRET" > "$data/log/user.out" 2>&1
# The gateway is started again when it is killed, until DATA/run/stopping is there. On a second start it asks the C++ library for
# the locale, which aborts where that is one the tree does not have.
gateway() {
  while [ ! -e "$data/run/stopping" ]; do
    LC_ALL=C daemon radosgw -f -n client.rgw >> "$data/log/rgw.out" 2>&1 &
    echo $! > "$data/run/rgw.pid"
    wait $! || true
  done
}
gateway &
for _ in $(seq 600); do
  if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
    echo up
    wait
    exit 0
  fi
  sleep 0.05
done
echo "the S3 server did not listen on $port; see $data/log" >&2
exit 1
