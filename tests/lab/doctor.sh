#!/bin/bash
. "$(dirname "$(realpath "$0")")/../lib.sh"
lab_up
attach
use_family 4
service_up 8000/tcp
on lb ethtool -k veth6 | grep -i vlan
on sw ethtool -k veth7 | grep -iE 'vlan|checksumm|segm'
time lb doctor veth6 || echo status $?
lb -j doctor veth6 | jq . || true
on sw ip link set veth7 xdp off
lb doctor veth6 || true
