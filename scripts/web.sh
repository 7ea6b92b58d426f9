#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# web.sh DIR NAME [PORT]: an nginx in the foreground that answers "/" with NAME, serves and (by PUT)
# stores files below DIR/files, and keeps all it writes in DIR.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: web.sh DIR NAME [PORT]" >&2 && exit 2; }
dir=$1 name=$2 port=${3:-8000}
mkdir -p "$dir/files" "$dir/tmp"
cat >"$dir/nginx.conf" <<END
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 16384;
pid $dir/pid;
events {
	worker_connections 8192;
}
http {
	access_log off;
	client_body_temp_path $dir/tmp/body;
	fastcgi_temp_path $dir/tmp/fastcgi;
	proxy_temp_path $dir/tmp/proxy;
	scgi_temp_path $dir/tmp/scgi;
	uwsgi_temp_path $dir/tmp/uwsgi;
	client_max_body_size 0;
	keepalive_requests 10000000;
	sendfile on;
	server {
		listen $port backlog=4096;
		listen [::]:$port backlog=4096;
		add_header X-Backend "$name";
		location = / {
			default_type text/plain;
			return 200 "$name\n";
		}
		location / {
			root $dir/files;
			dav_methods PUT DELETE;
		}
	}
}
END
exec nginx -c "$dir/nginx.conf" -e "$dir/error.log"
