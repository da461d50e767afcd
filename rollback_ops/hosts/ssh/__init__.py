"""How to reach a host over SSH. The only package that uses Fabric and paramiko."""
