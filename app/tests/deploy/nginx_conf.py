"""A configuration of nginx without a trap."""

GOOD = """
worker_rlimit_nofile 65536;
worker_shutdown_timeout 10m;
events { worker_connections 65536; }
http {
  upstream chat {
    zone chat 64k;
    least_conn;
    server "unix:/run/a b.sock" max_fails=1 fail_timeout=1s;
    server unix:/run/b.sock max_fails=1 fail_timeout=1s;  # { not a block; }
  }
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection upgrade;
  proxy_set_header X-Forwarded-For $remote_addr;
  server {
    location / { proxy_pass http://chat; }
    location /events/ { proxy_buffering off; proxy_pass http://chat; }
  }
}
"""
