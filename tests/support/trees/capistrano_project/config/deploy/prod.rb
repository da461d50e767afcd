if ENV["SERVER"]
  options = { keys: [ENV.fetch("KEY")], keys_only: true, verify_host_key: :never, config: false }
  server ENV["SERVER"], user: "root", roles: %w[app], ssh_options: options
else
  server :local, roles: %w[app]
end
