"""Operations whose best form depends on the platform; `cpu/` holds the forms for a CPU."""
