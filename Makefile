# The commands of this repository. Each installs what it needs on a fresh Debian 12 machine and says so.

.PHONY: demo test airflow-test airflow-vm-test vm-test lint bench soak setup

demo: ## lock a real environment from a real channel, step by step
	scripts/demo.sh

test: setup lint ## everything that must hold
	scripts/cargo.sh test --locked
	tests/nix/run.sh

airflow-test: ## a whole Airflow cluster of containers, and what it bears
	tests/airflow/run.sh
	tests/airflow/shared-volume.sh

vm-test: setup ## the images on virtual machines
	vm-tests/run.sh --quiet

airflow-vm-test: setup ## an Airflow cluster on virtual machines
	vm-tests/run.sh --quiet --project airflow

lint: ## formatting, clippy, shell scripts
	scripts/lint.sh

bench: setup ## speed and memory, beside py-rattler
	benches/run.sh
	benches/install.sh
	benches/image.sh

soak: setup ## the long tests: many rounds of what must hold every time
	scripts/soak.sh

setup: ## install what the tests need
	scripts/setup.sh
