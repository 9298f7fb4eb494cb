/**
 * A program for a machine's `files`: `make-pod NAME ADDRESS PROGRAM…` starts the program in a network namespace of its own
 * on the bridge cni0 (10.244.1.1/24), as a CNI plugin makes it. `nsenter -t $(cat /run/pods/NAME) -n …` enters the pod.
 * busybox has neither `ip netns` nor a name for the far end of a veth pair: the kernel calls it veth0, as that is free again
 * when the one before has moved into its pod.
 */
export const MAKE_POD = `#!/bin/sh
set -eu
name=$1 address=$2
shift 2
if [ ! -e /sys/class/net/cni0 ]; then
  ip link add cni0 type bridge
  ip address add 10.244.1.1/24 dev cni0
  ip link set cni0 up
  echo 1 >/proc/sys/net/ipv4/ip_forward
  mkdir -p /run/pods
fi
unshare -n sh -ec '
  echo $$ >"$0"
  until ip route | grep -q default; do usleep 1000; done
  exec "$@"' /run/pods/$name "$@" >/dev/null 2>&1 &
until [ -s /run/pods/$name ]; do usleep 1000; done
pod=$(cat /run/pods/$name)
ip link add pod-$name type veth
ip link set pod-$name master cni0
ip link set pod-$name up
ip link set veth0 netns $pod
nsenter -t $pod -n sh -ec "
  ip link set lo up
  ip link set veth0 name eth0
  ip address add $address/24 dev eth0
  ip link set eth0 up
  ip route add default via 10.244.1.1"
`;
