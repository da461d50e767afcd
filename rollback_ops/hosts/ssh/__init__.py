"""How a host is reached over SSH. The only package that uses Fabric and paramiko."""
