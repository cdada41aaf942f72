#!/usr/bin/env bash
# A real SLURM cluster of several nodes on this machine, for tests: loopback only, no systemd, as root or as any user.
#
#   cluster.sh start DIR          munged, slurmctld, slurmd n1..n4, sshd with SSHD=1; ready when it returns
#   cluster.sh stop DIR           ends the jobs and the daemons of that cluster, by their process ids
#   cluster.sh kill DIR NAME      kill -9 of one daemon: slurmctld, sshd, munged, n1, ...
#   cluster.sh halt DIR NAME      ends one daemon in order
#   cluster.sh begin DIR NAME     starts it again
#
# Everything lies in DIR; DIR/conf/slurm.conf goes into SLURM_CONF. Settings, as environment variables of `start`:
#   PORT=26000      first of a row of ports: +0 slurmctld, +1.. slurmd, +22 sshd, +90 slurmdbd, +91 its database
#   NODES=4 CPUS=8 GPUS=4 MEM=4000   what each node offers; the GPUs are links to /dev/null
#   ACCOUNTING=0    1: slurmdbd and a database of its own, so that sacct answers
#   KILLWAIT=3 MINJOBAGE=300 CRED_EXPIRE=5 MAXARRAY=20001 GRACE=10 NODE_TIMEOUT=20   what SLURM makes everybody wait for
#   CONTROLLER=     more SlurmctldParameters, such as preempt_send_user_signal
#
# Partitions: low (default; preempted by requeue), grace (the same with a grace time), high (preempts), short (10 minutes).
set -u
export PATH=$PATH:/usr/sbin:/sbin

say() { printf 'cluster.sh: %s\n' "$*" >&2; }

usage() {
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

# A zombie that a slow init has not reaped counts as gone.
gone() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)
  [ -z "$state" ] || [ "$state" = Z ]
}

pid_of() { cat "$dir/run/$1.pid" 2>/dev/null; }

alive() {
  local pid
  pid=$(pid_of "$1") && [ -n "$pid" ] && ! gone "$pid"
}

# launch NAME COMMAND...: in a session of its own, output to a log, its process id on record.
launch() {
  local name=$1
  shift
  setsid "$@" >"$dir/log/$name.out" 2>&1 </dev/null &
  echo $! >"$dir/run/$name.pid"
}

# await SECONDS WHAT COMMAND...
await() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "$what is not ready; the logs are in $dir/log"
      return 1
    fi
    sleep 0.05
  done
}

write_settings() {
  {
    declare -p PORT NODES CPUS GPUS MEM ACCOUNTING SSHD KILLWAIT MINJOBAGE CRED_EXPIRE MAXARRAY GRACE NODE_TIMEOUT CONTROLLER
  } >"$dir/settings"
}

write_configuration() {
  local me host gpu accounting
  me=$(id -un) host=$(hostname -s)
  mkdir -p "$dir"/{conf,run,log,state,spool,munge,dev,sshd,db}
  chmod 711 "$dir/munge"
  [ -e "$dir/munge/key" ] || head -c 1024 /dev/urandom >"$dir/munge/key"
  chmod 400 "$dir/munge/key"
  for ((gpu = 0; gpu < GPUS; gpu++)); do ln -sfn /dev/null "$dir/dev/gpu$gpu"; done
  printf 'AutoDetect=off\nName=gpu File=%s/dev/gpu[0-%d]\n' "$dir" $((GPUS - 1)) >"$dir/conf/gres.conf"
  if [ "$ACCOUNTING" = 1 ]; then
    accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 90))
AccountingStoragePass=$dir/munge/socket
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1"
  else
    accounting="AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none"
  fi
  cat >"$dir/conf/slurm.conf" <<END
ClusterName=flowtest
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=$CRED_EXPIRE
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.own
SlurmdPidFile=$dir/run/%n.own
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/%n.log
SlurmctldParameters=enable_configless${CONTROLLER:+,$CONTROLLER}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
Epilog=$dir/conf/epilog
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=0,default_queue_depth=2000,bf_max_job_test=1000
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=$KILLWAIT
MinJobAge=$MINJOBAGE
CompleteWait=0
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=$NODE_TIMEOUT
MessageTimeout=10
InactiveLimit=0
MaxJobCount=30000
MaxArraySize=$MAXARRAY
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
$accounting
GresTypes=gpu
NodeName=n[1-$NODES] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((PORT + 1))-$((PORT + NODES))] CPUs=$CPUS RealMemory=$MEM Gres=gpu:$GPUS State=UNKNOWN
PartitionName=low Nodes=n[1-$NODES] Default=YES PriorityTier=1 PreemptMode=REQUEUE MaxTime=INFINITE DefaultTime=60
PartitionName=grace Nodes=n[1-$NODES] PriorityTier=1 PreemptMode=REQUEUE GraceTime=$GRACE MaxTime=INFINITE DefaultTime=60
PartitionName=high Nodes=n[1-$NODES] PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE DefaultTime=60
PartitionName=short Nodes=n[1-$NODES] PriorityTier=5 PreemptMode=OFF MaxTime=10 DefaultTime=1
END
  # Without control groups a process that made itself a daemon survives its job; sites end it like this.
  cat >"$dir/conf/epilog" <<END
#!/bin/sh
for file in \$(grep -lszFx -- "SLURM_JOB_ID=\$SLURM_JOB_ID" /proc/[0-9]*/environ 2>/dev/null); do
  pid=\${file#/proc/}
  pid=\${pid%/environ}
  [ "\$pid" != "\$\$" ] && grep -qszFx "SLURM_CONF=$SLURM_CONF" "\$file" && kill -KILL "\$pid" 2>/dev/null
done
exit 0
END
  chmod 755 "$dir/conf/epilog"
}

begin_munged() {
  rm -f "$dir"/munge/socket*
  launch munged munged --foreground --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
    --log-file="$dir/log/munged.log" --pid-file="$dir/munge/pid" --seed-file="$dir/munge/seed"
  await 10 munged munge -n -S "$dir/munge/socket"
}

begin_slurmctld() {
  launch slurmctld slurmctld -D -f "$SLURM_CONF"
  await 30 slurmctld scontrol ping
}

begin_node() {
  mkdir -p "$dir/spool/$1"
  launch "$1" slurmd -D -N "$1" -f "$SLURM_CONF"
}

nodes_are_ready() {
  [ "$(sinfo -h -N -p low -o '%t' | grep -cE '^(idle|mix|alloc)$')" -ge "$NODES" ]
}

begin_sshd() {
  local each
  for each in host client; do
    [ -e "$dir/sshd/${each}_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$dir/sshd/${each}_key"
  done
  cp "$dir/sshd/client_key.pub" "$dir/sshd/authorized_keys"
  printf '[127.0.0.1]:%d %s\n' $((PORT + 22)) "$(cut -d' ' -f1,2 "$dir/sshd/host_key.pub")" >"$dir/sshd/known_hosts"
  cat >"$dir/sshd/sshd_config" <<END
Port $((PORT + 22))
ListenAddress 127.0.0.1
HostKey $dir/sshd/host_key
PidFile $dir/run/sshd.own
AuthorizedKeysFile $dir/sshd/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
Subsystem sftp internal-sftp
SetEnv SLURM_CONF=$SLURM_CONF
END
  [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
  launch sshd /usr/sbin/sshd -D -e -f "$dir/sshd/sshd_config"
  await 10 sshd bash -c "exec 3<>/dev/tcp/127.0.0.1/$((PORT + 22))"
}

begin_accounting() {
  local as=()
  [ "$(id -u)" != 0 ] || as=(--user=root)
  cat >"$dir/conf/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT + 90))
SlurmUser=$(id -un)
LogFile=$dir/log/slurmdbd.log
PidFile=$dir/run/slurmdbd.own
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 91))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
CommitDelay=1
END
  chmod 600 "$dir/conf/slurmdbd.conf"
  [ -d "$dir/db/data/mysql" ] || mariadb-install-db --no-defaults "${as[@]}" --datadir="$dir/db/data" \
    --auth-root-authentication-method=normal --skip-test-db >"$dir/log/install-db.out" 2>&1
  launch mariadb mariadbd --no-defaults "${as[@]}" --datadir="$dir/db/data" --socket="$dir/db/socket" \
    --bind-address=127.0.0.1 --port=$((PORT + 91)) --pid-file="$dir/run/mariadb.own" --skip-name-resolve
  await 30 mariadb mariadb-admin --no-defaults -uroot -S "$dir/db/socket" ping || return 1
  mariadb --no-defaults -uroot -S "$dir/db/socket" -e \
    "CREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY 'slurm'; GRANT ALL ON slurm.* TO slurm@'127.0.0.1';"
  launch slurmdbd slurmdbd -D
  await 30 slurmdbd sacctmgr -n -i list cluster && sacctmgr -n -i add cluster flowtest >/dev/null
}

begin() {
  case $1 in
    munged) begin_munged ;;
    slurmctld) begin_slurmctld ;;
    sshd) begin_sshd ;;
    *) begin_node "$1" ;;
  esac
}

start() {
  local node
  PORT=${PORT:-26000} NODES=${NODES:-4} CPUS=${CPUS:-8} GPUS=${GPUS:-4} MEM=${MEM:-4000}
  ACCOUNTING=${ACCOUNTING:-0} SSHD=${SSHD:-0} CONTROLLER=${CONTROLLER:-}
  KILLWAIT=${KILLWAIT:-3} MINJOBAGE=${MINJOBAGE:-300} CRED_EXPIRE=${CRED_EXPIRE:-5} MAXARRAY=${MAXARRAY:-20001}
  GRACE=${GRACE:-10} NODE_TIMEOUT=${NODE_TIMEOUT:-20}
  write_configuration
  write_settings
  alive munged || begin_munged || return 1
  if [ "$ACCOUNTING" = 1 ]; then alive slurmdbd || begin_accounting || return 1; fi
  alive slurmctld || begin_slurmctld || return 1
  if [ "$ACCOUNTING" = 1 ]; then
    sacctmgr -n -i add account flow Cluster=flowtest >/dev/null 2>&1
    sacctmgr -n -i add user "$(id -un)" Account=flow Cluster=flowtest >/dev/null 2>&1
  fi
  for node in $(seq -f n%.0f 1 "$NODES"); do alive "$node" || begin_node "$node"; done
  await 60 "the cluster" nodes_are_ready || return 1
  [ "$SSHD" != 1 ] || alive sshd || begin_sshd
}

# end NAME...: asks all, waits 5 seconds, kills what is left.
end() {
  local name pid left pids=()
  for name in "$@"; do
    pid=$(pid_of "$name")
    rm -f "$dir/run/$name.pid"
    [ -n "$pid" ] && ! gone "$pid" || continue
    kill -TERM "$pid"
    pids+=("$pid")
  done
  for _ in $(seq 100); do
    left=0
    for pid in "${pids[@]}"; do gone "$pid" || left=1; done
    [ "$left" = 0 ] && return
    sleep 0.05
  done
  for pid in "${pids[@]}"; do gone "$pid" || kill -KILL "$pid"; done
}

# The daemon of a step outlives slurmd by design, and the job with it; those of this cluster are known by its configuration.
end_jobs() {
  local file pids=()
  for file in $(grep -lszFx -- "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null); do
    file=${file#/proc/}
    pids+=("${file%/environ}")
  done
  for file in "${pids[@]}"; do
    case $(cat "/proc/$file/comm" 2>/dev/null) in
      slurmctld | slurmd | munged | mariadbd | slurmdbd | sshd | node | bash | cluster.sh) ;;
      slurmstepd) kill -KILL "$file" 2>/dev/null ;;
      *) ! grep -qszF -- 'SLURM_JOB_ID=' "/proc/$file/environ" || kill -KILL "$file" 2>/dev/null ;;
    esac
  done
}

stop() {
  local nodes=() file
  for file in "$dir"/run/n[0-9]*.pid; do [ ! -e "$file" ] || nodes+=("$(basename "$file" .pid)"); done
  end_jobs
  end sshd slurmctld "${nodes[@]}"
  end_jobs
  end slurmdbd
  end mariadb munged
}

[ $# -ge 2 ] || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)
export SLURM_CONF=$dir/conf/slurm.conf
# shellcheck disable=SC1091 # written by start
[ "$1" = start ] || [ ! -e "$dir/settings" ] || . "$dir/settings"
case $1:$# in
  start:2) start ;;
  stop:2) stop ;;
  kill:3) kill -KILL "$(pid_of "$3")" ;;
  halt:3) end "$3" ;;
  begin:3) begin "$3" ;;
  *) usage ;;
esac
