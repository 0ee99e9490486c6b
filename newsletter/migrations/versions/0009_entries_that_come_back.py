"""Entries that come back: who was there when they first were, and has not had them"""

from alembic import op
import sqlalchemy as sa


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('entries', sa.Column('first_seq', sa.Integer(), nullable=True))
    op.add_column('subscriptions', sa.Column('joined_seq', sa.Integer(), server_default='0', nullable=False))
    # Nobody knows any more who joined when: what is settled stays settled.
    op.execute('UPDATE subscriptions SET joined_seq = cursor')


def downgrade() -> None:
    raise NotImplementedError('restore the backup that was made before the upgrade')
